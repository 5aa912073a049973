import { Module } from '@nestjs/common';
import { PageFactsController } from './page-facts.controller';
import { PageController } from './page.controller';
import { PageFacts } from './page.facts';
import { PageFiles, readPageFiles } from './page.files';

/** The page at `/`, and what it has to know. */
@Module({
  controllers: [PageController, PageFactsController],
  providers: [PageFacts, { provide: PageFiles, useFactory: () => new PageFiles(readPageFiles()) }],
})
export class WebModule {}

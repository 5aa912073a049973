import { Module } from '@nestjs/common';
import { UpstreamModule } from '../upstream';
import { gitlab } from './gitlab.definition';

@Module({ imports: [UpstreamModule.register(gitlab)] })
export class GitlabModule {}

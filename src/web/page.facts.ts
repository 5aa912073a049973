import { Injectable } from '@nestjs/common';

/** The facts for the page that it cannot find out: set by the modules that assemble the application. */
@Injectable()
export class PageFacts {
  /** Routes of a demonstration, by what they do; null elsewhere. */
  demo: Readonly<Record<string, string>> | null = null;
}

import { Controller, Get, Param, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiExcludeController } from '../server/api-decorators';
import { AppError } from '../kernel/app-error';
import { acceptedCoding } from './accepted-coding';
import { PageFiles } from './page.files';

/** The page at `/`; `server/security-headers.ts` says what it may do. */
@ApiExcludeController()
@Controller()
export class PageController {
  constructor(private readonly files: PageFiles) {}

  @Get()
  page(@Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    this.send('index.html', request, reply);
  }

  @Get('assets/:name')
  asset(@Param('name') name: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): void {
    this.send(`assets/${name}`, request, reply);
  }

  private send(path: string, { headers }: FastifyRequest, reply: FastifyReply): void {
    const file = this.files.find(path);
    const coding = acceptedCoding(headers['accept-encoding'], [...(file?.forms.keys() ?? [])]);
    const form = file?.forms.get(coding);
    if (!file || !form) {
      const isBuilt = this.files.find('index.html') !== undefined;
      throw new AppError(
        'route-not-found',
        isBuilt
          ? 'There is no such file of the page.'
          : 'The page is not built: run "npm run build", then start again.',
      );
    }
    void reply
      .header('content-type', file.type)
      .header('cache-control', file.cacheControl)
      .header('vary', 'Accept-Encoding')
      .header('etag', form.etag);
    if (isNotModified(headers['if-none-match'], form.etag)) {
      void reply.code(304).removeHeader('content-type').send();
      return;
    }
    if (coding !== 'identity') void reply.header('content-encoding', coding);
    void reply.send(form.body);
  }
}

/** RFC 9110 §13.1.2: `If-None-Match` compares weakly; `*` matches whatever there is. */
function isNotModified(field: string | undefined, etag: string): boolean {
  if (field === undefined) return false;
  return field.split(',').some((one) => one.trim() === '*' || one.trim().replace(/^W\//, '') === etag);
}

import { Controller, Get, Param, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { AppError } from '../kernel/app-error';
import { readPageFiles } from './page.files';

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/** The page at `/`: no inline script or style, no third party, and nothing may frame it. */
@ApiExcludeController()
@Controller()
export class PageController {
  private readonly files = readPageFiles();

  @Get()
  page(@Res() reply: FastifyReply): void {
    this.send('index.html', reply);
  }

  @Get('assets/:name')
  asset(@Param('name') name: string, @Res() reply: FastifyReply): void {
    this.send(name, reply);
  }

  private send(name: string, reply: FastifyReply): void {
    const file = this.files.get(name);
    if (!file) throw new AppError('route-not-found', 'There is no such file of the page.');
    void reply
      .header('content-type', file.type)
      .header('content-security-policy', POLICY)
      .header('x-frame-options', 'DENY')
      .header('referrer-policy', 'no-referrer')
      .header('cache-control', 'no-cache')
      .send(file.body);
  }
}

import { FastifyAdapter } from '@nestjs/platform-fastify';
import { FrontDoor } from './front-door';

/** The Fastify adapter, with a front door that Nest's own CORS, security headers and hooks shut. */
export class LarderAdapter extends FastifyAdapter {
  /** To be called when the hooks that are everyone's have been added. */
  openFrontDoor(): void {
    new FrontDoor(this.getInstance(), this);
  }

  override enableCors(...args: Parameters<FastifyAdapter['enableCors']>): void {
    this.shut();
    super.enableCors(...args);
  }

  override registerSecurityHook(...args: Parameters<FastifyAdapter['registerSecurityHook']>): void {
    this.shut();
    super.registerSecurityHook(...args);
  }

  override setOnRequestHook(...args: Parameters<FastifyAdapter['setOnRequestHook']>): void {
    this.shut();
    super.setOnRequestHook(...args);
  }

  override setOnResponseHook(...args: Parameters<FastifyAdapter['setOnResponseHook']>): void {
    this.shut();
    super.setOnResponseHook(...args);
  }

  private shut(): void {
    FrontDoor.of(this)?.shut();
  }
}

import { Injectable } from '@nestjs/common';

/** A path that the page suggests, as the API's documentation has it. */
export interface SuggestedPath {
  /** Without the gateway's prefix. */
  readonly path: string;
  readonly summary: string;
}

export interface GatewayFacts {
  readonly gatewayPrefix: string;
  readonly paths: readonly SuggestedPath[];
}

/** The facts about the service that the page needs and cannot find out: set by the modules that assemble the application. */
@Injectable()
export class PageFacts {
  private gateway: GatewayFacts = { gatewayPrefix: '', paths: [] };
  private demo: Readonly<Record<string, string>> | null = null;

  describeGateway(gateway: GatewayFacts): void {
    this.gateway = gateway;
  }

  /** Routes of a demonstration, by what they do. */
  describeDemo(routes: Readonly<Record<string, string>>): void {
    this.demo = routes;
  }

  get(): GatewayFacts & { readonly demo: Readonly<Record<string, string>> | null } {
    return { ...this.gateway, demo: this.demo };
  }
}

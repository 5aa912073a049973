import { Controller, Get, Headers, Query, Req, Res, UseGuards } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  ApiBearerAuth,
  ApiExtraModels,
  ApiHeader,
  ApiOkResponse,
  ApiOperation,
  ApiQuery,
  ApiTags,
} from '../server/api-decorators';
import { ApiProblems } from '../server/api-docs';
import { EDGE_FIELDS } from '../server/edge-hooks';
import { EventClients } from './event-clients';
import { EventStream } from './event-stream';
import { EVENTS_EXAMPLE, EventsDocument } from './events.documents';
import { hasCredential, LiveGuard } from './live.guard';

const DESCRIPTION =
  'First `history`: the figures of the last 15 minutes in which a client watched. Then `figures`, one a second, of all replicas and ' +
  'workers together; its id is the second. After a reconnect `Last-Event-ID` brings the seconds that were missed. With the admin token also ' +
  '`outcome` and `invalidation`, with their keys: all while there are few, one in `oneIn` under load. A comment every 15 s keeps the ' +
  'connection up; `end` has the reason why the server ends it. A reader that falls behind is disconnected.';

/** The stream is text; OpenAPI 3.0 has no word for the JSON in it. */
const EVENT_TEXT = { type: 'string' as const, 'x-event-data': { $ref: `#/components/schemas/${EventsDocument.name}` } };

/** The live figures as server-sent events, for the page at `/` and for anybody else. */
@ApiTags('operations')
@Controller('events')
export class EventsController {
  constructor(private readonly clients: EventClients) {}

  @Get()
  @UseGuards(LiveGuard)
  @ApiOperation({ summary: 'Live figures of all replicas, as server-sent events', description: DESCRIPTION })
  @ApiBearerAuth('admin')
  @ApiHeader({ name: 'Last-Event-ID', required: false, description: 'The id of the last event that was received.' })
  @ApiQuery({ name: 'lastEventId', required: false, description: 'The same, for clients that cannot send the field.' })
  @ApiExtraModels(EventsDocument)
  @ApiOkResponse({
    description: 'The `data` of each event is JSON: the member of `EventsDocument` that is named as the event.',
    content: { 'text/event-stream': { schema: EVENT_TEXT, example: EVENTS_EXAMPLE } },
  })
  @ApiProblems('admin-unauthorized', 'too-many-attempts', 'overloaded', 'shutting-down')
  async open(
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
    @Headers('last-event-id') lastEventId?: string,
    @Query('lastEventId') lastEventIdInQuery?: unknown,
  ): Promise<void> {
    const isAdmin = hasCredential(request);
    this.clients.require(isAdmin);
    reply.hijack();
    const response = reply.raw;
    response.writeHead(200, {
      ...EDGE_FIELDS,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no', // nginx would keep events back until its buffer is full
      'x-request-id': request.id,
    });
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    response.flushHeaders();
    await this.clients.serve(new EventStream(response), {
      isAdmin,
      lastEventId: idOf(lastEventId ?? lastEventIdInQuery),
    });
  }
}

/** A foreign id counts as none: the client starts from the beginning. */
function idOf(value: unknown): number | undefined {
  return typeof value === 'string' && /^\d{1,12}$/.test(value) ? Number(value) : undefined;
}

import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';

/** Nest on Fastify with nothing in it: its router answers 404. */
@Module({})
export class EmptyModule {}

async function main(): Promise<void> {
  const app = await NestFactory.create(EmptyModule, new FastifyAdapter(), { logger: false });
  await app.listen(Number(process.env['PORT']), '127.0.0.1');
}

void main();

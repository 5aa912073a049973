import { Logger } from '@nestjs/common';

// What a service logs is tested where it is a process of its own (`ServiceProcess`).
Logger.overrideLogger(false);

import 'reflect-metadata';
import { boot } from './bootstrap/boot';

// Imported when it is asked for: it reads the settings, and finds what is wrong with them.
void boot(async () => (await import('./app.module.js')).AppModule);

import { holdYoungGeneration } from './young-generation';

/* The first import of a program that starts the service: to load the modules is most of what a start allocates. `boot` releases it. */
holdYoungGeneration();

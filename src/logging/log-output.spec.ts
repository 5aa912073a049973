import fs from 'node:fs';
import { LogOutput } from './log-output';

type Done = (error: NodeJS.ErrnoException | null, written: number) => void;

/** One call of the kernel. */
interface Written {
  readonly text: string;
  readonly done: Done;
}

describe('the output of a log', () => {
  let writes: Written[];
  let output: LogOutput;
  const texts = () => writes.map(({ text }) => text);
  /** The kernel takes all that it was given last. */
  const taken = () => {
    const last = writes.at(-1)!;
    last.done(null, Buffer.byteLength(last.text));
  };

  beforeEach(() => {
    jest.useFakeTimers();
    jest.spyOn(process, 'once').mockReturnThis(); // the process of the tests ends without it
    writes = [];
    jest.spyOn(fs, 'write').mockImplementation(((_fd: number, bytes: Buffer, ...rest: unknown[]) => {
      writes.push({ text: bytes.toString(), done: rest.at(-1) as Done });
    }) as never);
    output = new LogOutput(1);
  });
  afterEach(() => {
    jest.useRealTimers();
    jest.restoreAllMocks();
  });

  it('is written together, within a moment', () => {
    for (const line of ['one\n', 'two\n']) output.write(line);
    expect(texts()).toEqual([]);
    jest.advanceTimersByTime(100);
    expect(texts()).toEqual(['one\ntwo\n']);
  });

  it('is written at once on demand, after the batch under way', () => {
    output.write('one\n');
    output.flush();
    output.write('two\n');
    output.flush();
    expect(texts()).toEqual(['one\n']);
    taken();
    expect(texts()).toEqual(['one\n', 'two\n']);
  });

  it('goes out in whole lines of 4 kB at most, so that other processes have their say between them', () => {
    const line = `${'x'.repeat(1_000)}\n`;
    for (let at = 0; at < 10; at++) output.write(line);
    output.write(`${'y'.repeat(5_000)}\n`);
    for (let at = 0; at < 4; at++) taken();
    expect(writes.map(({ text }) => text.length)).toEqual([3_003, 4_004, 3_003, 5_001]);
    expect(texts().every((text) => text.endsWith('\n'))).toBe(true);
  });

  it('goes on where the kernel has taken a part, or nothing yet', () => {
    output.write('one\n');
    output.flush();
    writes.at(-1)!.done(null, 2);
    writes.at(-1)!.done(Object.assign(new Error('full'), { code: 'EAGAIN' }), 0);
    jest.advanceTimersByTime(100);
    expect(texts()).toEqual(['one\n', 'e\n', 'e\n']);
  });

  it('loses lines over 8 MB, and reports how much when it is read again', () => {
    const line = `${'x'.repeat(1_000_000)}\n`;
    for (let at = 0; at < 10; at++) output.write(line);
    for (let at = 0; at < 8; at++) taken();
    jest.advanceTimersByTime(100);
    expect(writes).toHaveLength(9);
    expect(JSON.parse(texts().at(-1)!)).toMatchObject({
      level: 'warn',
      msg: expect.stringMatching(/^2 lines .* lost/),
    });
  });

  it('ends with its reader', () => {
    output.write('one\n');
    output.flush();
    writes.at(-1)!.done(Object.assign(new Error('gone'), { code: 'EPIPE' }), 0);
    output.write('two\n');
    output.flush();
    expect(texts()).toEqual(['one\n']);
  });
});

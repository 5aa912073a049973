import { EventSampling } from './event-sampling';

const picked = (sampling: EventSampling, count: number, from: number, toMs = 1_000): number[] =>
  Array.from({ length: count }, (_, at) => sampling.pick(from + (at * toMs) / count)).filter(
    (one) => one !== undefined,
  );

it('picks all of a few', () => {
  expect(picked(new EventSampling(), 4, 0)).toEqual([1, 1, 1, 1]);
});

it('never picks more than twenty in a second, whatever comes', () => {
  const sampling = new EventSampling();
  for (let second = 0; second < 5; second++)
    expect(picked(sampling, 100_000, second * 1_000).length).toBeLessThanOrEqual(20);
});

it('says of how many each is one: together they stand for about all, once the rate is known', () => {
  const sampling = new EventSampling();
  picked(sampling, 1_000, 0);
  const sum = picked(sampling, 1_000, 1_000).reduce((total, one) => total + one, 0);
  expect(sum).toBeGreaterThan(500);
  expect(sum).toBeLessThan(2_000);
});

it('picks all again after a pause', () => {
  const sampling = new EventSampling();
  picked(sampling, 1_000, 0);
  expect(picked(sampling, 3, 10_000)).toEqual([1, 1, 1]);
});

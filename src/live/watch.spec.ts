import { Watch } from './watch';

describe('a client watches', () => {
  it('while a viewer is here, and for a minute after the last one has left', () => {
    const watch = new Watch();
    expect(watch.isOn(0)).toBe(false);
    watch.enter(false);
    watch.enter(false);
    watch.leave(false, 1_000);
    expect([watch.isOn(500_000), watch.lease(500_000)]).toEqual([true, { forMs: 5_000, wantsEvents: false }]);
    watch.leave(false, 500_000);
    expect([watch.isOn(559_999), watch.isOn(560_000), watch.lease(560_000)]).toEqual([true, false, undefined]);
  });

  it('as long as another replica says so, which is not said on', () => {
    const watch = new Watch();
    watch.extend(5_000, false, 0);
    expect([watch.isOn(4_999), watch.isOn(5_000), watch.lease(1)]).toEqual([true, false, undefined]);
  });

  it('at most for a minute by one word, whatever that says', () => {
    const watch = new Watch();
    watch.extend(1e9, true, 0);
    expect([watch.isOn(60_000), watch.wantsEvents(60_000)]).toEqual([false, false]);
  });

  it('wants outcomes and keys only while an admin is among them', () => {
    const watch = new Watch();
    watch.enter(false);
    expect(watch.wantsEvents(0)).toBe(false);
    watch.enter(true);
    expect([watch.wantsEvents(0), watch.lease(0)?.wantsEvents]).toEqual([true, true]);
    watch.leave(true, 1);
    expect(watch.wantsEvents(1)).toBe(false);
    watch.extend(5_000, true, 1);
    expect(watch.wantsEvents(2)).toBe(true);
  });
});

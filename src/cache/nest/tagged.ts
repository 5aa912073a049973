/** A value on its way through keyv, whose `set` has no place for tags. */
export class Tagged {
  constructor(
    readonly value: unknown,
    readonly tags: readonly string[],
  ) {}
}

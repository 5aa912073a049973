/** The result of a check: a `problem` keeps the service from working with its settings, a `warning` impairs it. */
export interface Finding {
  readonly level: 'ok' | 'warning' | 'problem';
  /** The subject of the check: `Settings`, `Redis`, the title of an upstream, `TLS`. */
  readonly subject: string;
  readonly text: string;
  /** The remedy. */
  readonly remedy?: string;
}

/** Creates the findings of one subject. */
export function findingsOf(subject: string): {
  ok: (text: string) => Finding;
  warning: (text: string, remedy: string) => Finding;
  problem: (text: string, remedy: string) => Finding;
} {
  return {
    ok: (text) => ({ level: 'ok', subject, text }),
    warning: (text, remedy) => ({ level: 'warning', subject, text, remedy }),
    problem: (text, remedy) => ({ level: 'problem', subject, text, remedy }),
  };
}

'use strict';
const { default: Sequencer } = require('@jest/test-sequencer');

const ORDER = ['browser', 'e2e', 'integration', 'unit'];

/**
 * The specs that start processes and wait for them run first, so that at the end no worker waits for a long one alone: unit specs are short.
 * Within a kind the longest runs first, as far as an earlier run has told, else the largest.
 */
class ProcessesFirst extends Sequencer {
  sort(tests) {
    const rank = ({ context }) => ORDER.indexOf(context.config.displayName.name);
    return super.sort(tests).sort((one, other) => rank(one) - rank(other));
  }
}

module.exports = ProcessesFirst;

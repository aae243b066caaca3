import { expect, it } from 'vitest';
import { systemClock } from '../../../engine/net/clock.ts';
import { Publisher } from '../../../engine/publisher.ts';
import type { Snapshot } from '../../../protocol/app.ts';

const snapshot = (state: Snapshot['state']) => ({ version: 1, state }) as Snapshot;

it('whoever comes while an engine ends sees it as it was left, then its end', () => {
  let open = true;
  const publisher = new Publisher(systemClock, () => {
    if (!open) throw new Error('closed');
    return snapshot('joined');
  });
  publisher.stop();
  open = false;
  const seen: string[] = [];
  publisher.subscribe(({ state }) => seen.push(state));
  expect(publisher.now().state).toBe('joined');
  publisher.end(snapshot('off'));
  publisher.stop();
  expect(seen).toEqual(['joined', 'off']);
  expect(publisher.now().state).toBe('off');
});

import { expect, it } from 'vitest';
import { askedAtStart } from '../../../engine/net/interfaces/nat64.ts';

/** A resolver that answers by the number of times it was asked. */
function counting() {
  const port = { asked: 0, addresses: () => Promise.resolve([`64:ff9b::${++port.asked}`]) };
  return port;
}

it('asks once for a whole start, before anybody wants to know, and anew after it', async () => {
  const port = counting();
  let now = 0;
  const nat64 = askedAtStart(port, { now: () => now });
  expect(port.asked).toBe(1);
  now = 500;
  expect([await nat64.addresses(), await nat64.addresses()]).toEqual([['64:ff9b::1'], ['64:ff9b::1']]);
  now = 5_000;
  expect(await nat64.addresses()).toEqual(['64:ff9b::2']);
  expect(await nat64.addresses()).toEqual(['64:ff9b::3']);
});

it('tells a failure to who asks, and to nobody else', async () => {
  const failure = new Error('no resolver');
  const nat64 = askedAtStart({ addresses: () => Promise.reject(failure) }, { now: () => 0 });
  await expect(nat64.addresses()).rejects.toBe(failure);
});

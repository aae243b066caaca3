import { beforeEach, expect, it } from 'vitest';
import type { PortMapper } from '../../../engine/session/contract.ts';
import { GatedMapper } from '../../../engine/session/gated-mapper.ts';

/** The ports that the router has open. */
let open: string[];
const router: PortMapper = {
  open(transport, internalPort, changed) {
    const name = `${transport} ${internalPort}`;
    open.push(name);
    changed();
    return {
      view: () => ({ state: 'active', external: { ip: '203.0.113.9', port: internalPort } }),
      close: async () => {
        open = open.filter((other) => other !== name);
      },
    };
  },
};
beforeEach(() => {
  open = [];
});

it('asks the router for nothing that is not allowed, and for all of it once it is', async () => {
  const mapper = new GatedMapper(router, false);
  let changes = 0;
  const mapping = mapper.open('tcp', 7868, () => (changes += 1));
  expect(open).toEqual([]);
  expect(mapping.view()).toEqual({ state: 'off' });
  mapper.allow(true);
  mapper.allow(true);
  expect(open).toEqual(['tcp 7868']);
  expect(mapping.view()).toMatchObject({ state: 'active' });
  mapper.allow(false);
  expect(open).toEqual([]);
  expect(mapping.view()).toEqual({ state: 'off' });
  expect(changes).toBe(2);
});

it('gives a port back when it is closed, and does not map it again', async () => {
  const mapper = new GatedMapper(router, true);
  const mapping = mapper.open('udp', 3478, () => {});
  expect(open).toEqual(['udp 3478']);
  await mapping.close();
  expect(open).toEqual([]);
  mapper.allow(false);
  mapper.allow(true);
  expect(open).toEqual([]);
});

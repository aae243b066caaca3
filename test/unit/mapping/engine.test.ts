/** What the engine makes of a mapping: a candidate, a line in the report, and nothing when it is off. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { MappingView, SavedLease } from '../../../engine/core/mapping/contract.ts';
import { isBehindAnotherNat } from '../../../engine/core/mapping/external.ts';
import { Mappings } from '../../../engine/mappings.ts';
import { leaseStore } from '../../../engine/net/mapping/store.ts';
import { UNKNOWN_NAT } from '../../../protocol/nat.ts';

class TestPort {
  opened: string[] = [];
  closed = 0;
  refreshed = 0;
  view: MappingView = { state: 'none' };
  pinholed: MappingView = { state: 'none' };

  open(transport: string, port: number) {
    return this.#open(`${transport} ${port}`, () => this.view);
  }

  pinhole(transport: string, port: number) {
    return this.#open(`${transport} ${port} over IPv6`, () => this.pinholed);
  }

  #open(what: string, view: () => MappingView) {
    this.opened.push(what);
    return {
      view,
      refresh: () => void this.refreshed++,
      close: async () => void this.closed++,
    };
  }
}

const PORTS = { v4: 51_820, v6: null };

const active = (ip: string): MappingView => ({ state: 'active', protocol: 'pcp', external: { ip, port: 4_000 } });
const seen = (...publicAddresses: string[]) => ({ ...UNKNOWN_NAT, publicAddresses });

describe('the engine’s mapping', () => {
  it('is opened once, and closed when it is turned off', async () => {
    const port = new TestPort();
    const mappings = new Mappings(port, PORTS, () => {});
    mappings.set(true);
    mappings.set(true);
    expect(port.opened).toEqual(['udp 51820']);
    mappings.set(false);
    await mappings.stop();
    await mappings.stop();
    expect(port.closed).toBe(1);
    expect(mappings.describe(UNKNOWN_NAT).portMapping).toEqual({ state: 'off' });
    expect(mappings.candidates()).toEqual([]);
  });

  it('is a candidate and in the report while it stands', () => {
    const port = new TestPort();
    const mappings = new Mappings(port, PORTS, () => {});
    mappings.set(true);
    expect(mappings.describe(UNKNOWN_NAT).portMapping).toEqual({ state: 'none' });
    port.view = { state: 'failed', why: 'no-resources' };
    expect(mappings.describe(UNKNOWN_NAT).portMapping).toEqual({ state: 'failed' });
    port.view = active('81.2.69.10');
    expect(mappings.candidates()).toEqual([{ kind: 'mapped', ip: '81.2.69.10', port: 4_000 }]);
    expect(mappings.describe(seen('81.2.69.10')).portMapping).toEqual({
      state: 'active',
      protocol: 'pcp',
      external: '81.2.69.10:4000',
      doubleNat: false,
    });
  });

  it('behind a carrier’s NAT is told as such, and offered', () => {
    const port = new TestPort();
    const mappings = new Mappings(port, PORTS, () => {});
    mappings.set(true);
    port.view = active('100.64.0.9');
    expect(mappings.describe(seen('81.2.69.10'))).toMatchObject({ cgnat: true, portMapping: { doubleNat: true } });
    expect(mappings.candidates()).toHaveLength(1);
  });

  it('is renewed when the public address changed, not when it is first seen', () => {
    const port = new TestPort();
    const mappings = new Mappings(port, PORTS, () => {});
    mappings.set(true);
    mappings.seen([]);
    mappings.seen(['81.2.69.10']);
    mappings.seen([]);
    mappings.seen(['81.2.69.10']);
    expect(port.refreshed).toBe(0);
    mappings.seen(['81.2.69.99']);
    mappings.seen(['81.2.69.99']);
    expect(port.refreshed).toBe(1);
  });

  it('lets IPv6 in beside it: a candidate of its own, in the report, and closed with it', async () => {
    const port = new TestPort();
    const mappings = new Mappings(port, { v4: 51_820, v6: 51_821 }, () => {});
    mappings.set(true);
    expect(port.opened).toEqual(['udp 51820', 'udp 51821 over IPv6']);
    expect(mappings.settled(false)).toBe(false);
    port.view = { state: 'failed', why: 'no-resources' };
    expect([mappings.settled(false), mappings.settled(true)]).toEqual([true, false]);
    const ip = '2001:db8:1::2';
    port.pinholed = { state: 'active', protocol: 'upnp', external: { ip, port: 51_821 } };
    expect(mappings.settled(true)).toBe(true);
    expect(mappings.describe(seen('81.2.69.10')).portMapping).toEqual({
      state: 'failed',
      pinhole: { state: 'active', protocol: 'upnp', external: `[${ip}]:51821` },
    });
    expect([mappings.candidates(), mappings.pinholes()]).toEqual([[], [{ ip, port: 51_821 }]]);
    port.pinholed = { state: 'failed', why: 'not-authorized' };
    expect(mappings.describe(UNKNOWN_NAT).portMapping).toEqual({ state: 'failed', pinhole: { state: 'failed' } });
    await mappings.stop();
    expect(port.closed).toBe(2);
    expect(mappings.pinholes()).toEqual([]);
  });

  it('does nothing where nothing can be mapped', () => {
    const none = new Mappings(null, PORTS, () => {});
    none.set(true);
    expect(none.describe(UNKNOWN_NAT).portMapping).toEqual({ state: 'none' });
    const port = new TestPort();
    new Mappings(port, { v4: null, v6: null }, () => {}).set(true);
    expect(port.opened).toEqual([]);
  });
});

describe('another NAT outside', () => {
  it.for([
    ['192.168.0.2', [], true],
    ['100.64.0.2', [], true],
    ['81.2.69.10', [], false],
    ['81.2.69.10', ['2001:db8::1'], false],
    ['81.2.69.10', ['81.2.69.10', '203.0.113.1'], false],
    ['81.2.69.10', ['203.0.113.1'], true],
  ] as const)('outer address %s, seen as %j: %s', ([external, reflexive, wanted]) => {
    expect(isBehindAnotherNat(external, reflexive)).toBe(wanted);
  });
});

describe('leases on disk', () => {
  const directory = mkdtempSync(join(tmpdir(), 'warren-leases-'));
  const path = join(directory, 'state', 'port-mappings.json');
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const lease: SavedLease = {
    protocol: 'pcp',
    transport: 'udp',
    gateway: '192.168.1.1',
    internalPort: 51_820,
    externalPort: 40_000,
    nonce: '00112233445566778899aabb',
  };

  const pinhole: SavedLease = {
    ...lease,
    protocol: 'upnp',
    gateway: 'fe80::1%eth0',
    client: '2001:db8:1::2',
    nonce: null,
    pinhole: '4711',
  };

  it('come back', () => {
    const store = leaseStore(path);
    expect(store.load()).toEqual([]);
    store.save([lease, pinhole]);
    expect(leaseStore(path).load()).toEqual([lease, pinhole]);
  });

  it.for([
    '',
    '{',
    'null',
    '[{"protocol":"pcp"}]',
    JSON.stringify([{ ...lease, nonce: 'short' }]),
    JSON.stringify([{ ...pinhole, pinhole: '</x>' }]),
  ])('are none in a file with %j', (text) => {
    writeFileSync(path, text);
    expect(leaseStore(path).load()).toEqual([]);
  });
});

/** The firewall of an IPv6 router, asked over PCP and UPnP for a way in. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SavedLease } from '../../../engine/core/mapping/contract.ts';
import { isMap, isNatPmp, isPcp, lifetimeOf, nonceOf, pcpPinhole, suggestedPortOf } from './answers.ts';
import { TestFirewall } from './firewall-router.ts';
import { answerTo, fault, xml } from './igd-router.ts';
import { GATEWAY_6, LOCAL_6, PORT, type Reply, ROUTER_6, TestRouter } from './router.ts';

const AT = { gateway: GATEWAY_6, local: LOCAL_6 };
const external = { ip: LOCAL_6, port: PORT };
const router = (reply: Reply, remembered: readonly SavedLease[] = []) => new TestRouter(reply, remembered, AT);
const epochAt = (at: number) => 100 + Math.floor(at / 1_000);
const pcp: Reply = {
  portControl: (bytes, at) => (isPcp(bytes) ? [pcpPinhole(bytes, { epoch: epochAt(at) })] : []),
};
const maps = ({ sent }: TestRouter) => sent.filter(({ bytes }) => isMap(bytes)).map(({ bytes }) => bytes);
const ipv6 = (...groups: number[]) => Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff]));

describe('over PCP', () => {
  const active = { state: 'active', protocol: 'pcp', external };

  it('asks for its own port from its own address, and is granted its own endpoint', () => {
    const asked = router(pcp).map().pass(1_000);
    expect(asked.view).toEqual(active);
    expect(maps(asked).map((bytes) => [lifetimeOf(bytes), suggestedPortOf(bytes)])).toEqual([[7_200, PORT]]);
    // 2001:db8:1::2
    expect(Buffer.from(maps(asked)[0]!.subarray(8, 24)).toString('hex')).toBe('20010db8000100000000000000000002');
  });

  it('says no NAT-PMP, which knows no IPv6', () => {
    const asked = router({}).map().pass(60_000);
    expect(asked.sent.filter(({ bytes }) => isNatPmp(bytes))).toEqual([]);
    expect(asked.view).toEqual({ state: 'none' });
  });

  it('renews at half of the lifetime and deletes, with the nonce that made it', () => {
    const asked = router(pcp).map().pass(3_700_000);
    asked.event({ type: 'stop' });
    expect(maps(asked).map(lifetimeOf)).toEqual([7_200, 7_200, 0]);
    expect(new Set(maps(asked).map(nonceOf)).size).toBe(1);
    expect(asked.stopped).toBe(true);
    expect(asked.saved).toEqual([]);
  });

  it('asks for an early end where the router does not let it be deleted', () => {
    const stubborn: Reply = {
      portControl: (bytes, at) => [
        pcpPinhole(bytes, { epoch: epochAt(at), result: isMap(bytes) && lifetimeOf(bytes) === 0 ? 2 : 0 }),
      ],
    };
    const asked = router(stubborn).map().pass(1_000);
    asked.event({ type: 'stop' });
    expect(maps(asked).map(lifetimeOf)).toEqual([7_200, 0, 2]);
    expect(asked.stopped).toBe(true);
  });

  it('makes it again when the router began anew', () => {
    const asked = router(pcp).map().pass(119_000);
    asked.reply = { portControl: (bytes, at) => [pcpPinhole(bytes, { epoch: epochAt(at - 100_000) })] };
    asked.pass(130_000);
    expect(maps(asked)).toHaveLength(2);
  });

  it.for([
    ['an address of the link', ipv6(0xfe80, 0, 0, 0, 0, 0, 0, 1)],
    ['an address of the LAN', ipv6(0xfd00, 0, 0, 0, 0, 0, 0, 1)],
    ['an IPv4 address', ipv6(0, 0, 0, 0, 0, 0xffff, 0x5102, 0x450a)],
    ['nobody’s address', ipv6(0, 0, 0, 0, 0, 0, 0, 0)],
  ] as const)('does not believe in %s', ([, externalIp]) => {
    const liar: Reply = { portControl: (bytes) => [pcpPinhole(bytes, { externalIp })] };
    expect(router(liar).map().pass(20_000).view).toEqual({ state: 'failed', why: 'hostile' });
  });

  it('offers what a router that translates the prefix gives', () => {
    const externalIp = ipv6(0x2001, 0xdb8, 0x99, 0, 0, 0, 0, 2);
    const asked = router({ portControl: (bytes) => [pcpPinhole(bytes, { externalIp })] });
    expect(asked.map().pass(1_000).view).toEqual({ ...active, external: { ip: '2001:db8:99::2', port: PORT } });
  });

  it('takes over what an earlier run left at this address, and leaves alone what was for another', () => {
    const left: SavedLease = {
      protocol: 'pcp',
      transport: 'udp',
      gateway: GATEWAY_6,
      client: LOCAL_6,
      internalPort: PORT,
      externalPort: PORT,
      nonce: '00112233445566778899aabb',
    };
    expect(nonceOf(maps(router(pcp, [left]).map().pass(1_000))[0]!)).toBe(left.nonce);
    const moved = { ...left, internalPort: 4_711, client: '2001:db8:2::2' };
    const asked = router(pcp, [moved]).map().pass(1_000);
    expect(maps(asked).map(lifetimeOf)).toEqual([7_200]);
    expect(asked.saved).toContainEqual(moved);
  });
});

describe('over UPnP', () => {
  const active = { state: 'active', protocol: 'upnp', external };
  const ask = (firewall: TestFirewall, remembered: readonly SavedLease[] = []) =>
    router(firewall.reply, remembered).map().pass(2_000);
  const left: SavedLease = {
    protocol: 'upnp',
    transport: 'udp',
    gateway: GATEWAY_6,
    client: LOCAL_6,
    internalPort: PORT,
    externalPort: PORT,
    nonce: null,
    pinhole: '42',
  };
  const entry = { client: LOCAL_6, port: String(PORT), protocol: '17', lease: '7200' };

  it('searches at the gateway, then among all on the link', () => {
    const asked = router({}).map().pass(250);
    expect(asked.searches[0]?.text).toContain('HOST: [fe80::1]:1900\r\n');
    expect(asked.searches.find(({ multicast }) => multicast)?.text).toContain('HOST: [ff02::c]:1900\r\n');
  });

  it('adds one pinhole for everybody, renews it by its number, and deletes it', () => {
    const firewall = new TestFirewall();
    const asked = ask(firewall);
    expect(asked.view).toEqual(active);
    expect([...firewall.pinholes]).toEqual([['7', entry]]);
    expect(asked.saved).toEqual([{ ...left, pinhole: '7' }]);
    asked.pass(3_600_000);
    expect(firewall.actions.filter((action) => /Add|Update/.test(action))).toEqual(['AddPinhole', 'UpdatePinhole']);
    asked.event({ type: 'stop' });
    expect([firewall.pinholes.size, asked.stopped, asked.saved]).toEqual([0, true, []]);
  });

  it('makes it again when the router has forgotten it', () => {
    const firewall = new TestFirewall();
    const asked = ask(firewall);
    firewall.pinholes.clear();
    asked.pass(125_000);
    expect([...firewall.pinholes.keys()]).toEqual(['8']);
    expect(asked.view).toEqual(active);
  });

  it('takes over what an earlier run left: renewed for the same port, deleted for another', () => {
    const same = new TestFirewall();
    same.pinholes.set('42', { ...entry });
    expect(ask(same, [left]).view).toEqual(active);
    expect([...same.pinholes.keys()]).toEqual(['42']);
    const other = new TestFirewall();
    other.pinholes.set('42', { ...entry });
    ask(other, [{ ...left, internalPort: 4_711 }]);
    expect([...other.pinholes.keys()]).toEqual(['7']);
    const gone = new TestFirewall();
    expect(ask(gone, [left]).view).toEqual(active);
    expect([...gone.pinholes.keys()]).toEqual(['7']);
  });

  it('needs none where the firewall is off, and makes one when it is turned on', () => {
    const firewall = new TestFirewall();
    firewall.status = { enabled: '0', allowed: '0' };
    const asked = ask(firewall);
    expect([asked.view, firewall.pinholes.size]).toEqual([active, 0]);
    firewall.status = { enabled: '1', allowed: '1' };
    asked.pass(130_000);
    expect([asked.view, firewall.pinholes.size]).toEqual([active, 1]);
  });

  const refuses = (code: number) => (firewall: TestFirewall) => {
    firewall.refuse = (action) => (action === 'AddPinhole' ? code : null);
  };
  const refusals: [string, (firewall: TestFirewall) => void, string][] = [
    ['forbids them', ({ status }) => void Object.assign(status, { allowed: '0' }), 'not-authorized'],
    ['answers 606', refuses(606), 'not-authorized'],
    ['has no room', refuses(701), 'no-resources'],
    ['knows no pinholes', refuses(401), 'unsupported'],
    ['gives no number', (firewall) => void Object.assign(firewall, { nextId: 65_536 }), 'hostile'],
  ];
  it.for(refusals)('tells when the router %s', ([, change, why]) => {
    const firewall = new TestFirewall();
    change(firewall);
    expect(router(firewall.reply).map().pass(20_000).view).toEqual({ state: 'failed', why });
  });

  it('hears the router from another address of the link, and asks at the gateway all the same', () => {
    const firewall = new TestFirewall();
    firewall.location = `http://[${ROUTER_6}]:5000/rootDesc.xml`;
    const asked = router({ http: (request) => firewall.answer(request) }).map();
    const answer = Buffer.from(answerTo(asked.searches[0]!.text, firewall.location), 'latin1');
    for (const ip of ['2001:db8:2::1', '192.168.1.1', 'elsewhere'])
      asked.event({ type: 'ssdp', from: { ip, port: 1_900 }, bytes: answer });
    expect([asked.requests.length, asked.core.dropped()]).toEqual([0, 3]);
    asked.event({ type: 'ssdp', from: { ip: ROUTER_6, port: 1_900 }, bytes: answer });
    expect(asked.pass(2_000).view).toEqual(active);
  });

  it.for([
    'http://[2001:db8:1::66]:5000/rootDesc.xml',
    'http://[fe80::1]@[2001:db8:1::66]/x',
    'http://[fe80::1]:99999/x',
    'http://192.168.1.1:5000/rootDesc.xml',
    'https://[fe80::1]/x',
    'http://[fe80::1/x',
    'http://fe80::1/x',
    'http://router.lan/x',
  ])('follows no LOCATION like %j', (location) => {
    const firewall = new TestFirewall();
    firewall.location = location;
    const asked = router(firewall.reply).map().pass(60_000);
    expect(asked.requests).toEqual([]);
    expect(asked.core.dropped()).toBeGreaterThan(0);
  });
});

it('whatever a router says: it is asked in moderation, nothing impossible is believed, and it ends', () => {
  const bytes = fc.uint8Array({ minLength: 16, maxLength: 16 });
  const said = fc.record({ result: fc.nat(20), epoch: fc.nat(10_000), lifetimeS: fc.nat(100), externalIp: bytes });
  const documents = fc.oneof(
    { weight: 4, arbitrary: fc.constant('honest' as const) },
    { weight: 1, arbitrary: fc.constantFrom(401, 606, 701, 702, 704).map((code) => fault(code)) },
    { weight: 1, arbitrary: fc.constantFrom(xml(200, '<a/>'), xml(302, ''), { kind: 'failed' as const }) },
  );
  fc.assert(
    fc.property(
      fc.array(said, { minLength: 1 }),
      fc.array(documents, { minLength: 1 }),
      fc.array(fc.nat(600_000)),
      (lies, pages, steps) => {
        const firewall = new TestFirewall();
        let turn = 0;
        const asked = router({
          portControl: (request) => [pcpPinhole(request, lies[turn++ % lies.length])],
          search: firewall.reply.search,
          http: (request) => {
            const page = pages[turn++ % pages.length]!;
            return page === 'honest' ? firewall.answer(request) : page;
          },
        }).map();
        let total = 0;
        for (const ms of steps) {
          total += ms;
          asked.pass(ms);
          const { view } = asked;
          if (view.state === 'active') expect(view.external.ip).toMatch(/^[0-9a-f:]+$/);
        }
        expect(asked.sent.length).toBeLessThan(200 + total / 500);
        expect(asked.requests.length).toBeLessThan(200 + total / 500);
        asked.event({ type: 'stop' }).pass(2_000);
        expect(asked.stopped).toBe(true);
      },
    ),
    { numRuns: 60 },
  );
});

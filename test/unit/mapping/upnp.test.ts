import { describe, expect, it } from 'vitest';
import type { HttpResult } from '../../../engine/core/mapping/contract.ts';
import { answerTo, fault, TestIgd, WAN_IP_1, WAN_IP_2, WAN_PPP } from './igd-router.ts';
import { EXTERNAL, GATEWAY, PORT, TestRouter } from './router.ts';

const active = (port = PORT) => ({ state: 'active', protocol: 'upnp', external: { ip: EXTERNAL, port } });
const run = (igd: TestIgd, ms = 5_000) => new TestRouter(igd.reply).map().pass(ms);
const adds = (igd: TestIgd) => igd.actions.filter((action) => action === 'AddPortMapping').length;

describe('the search', () => {
  it('goes to the gateway first, and to everybody when it stays silent', () => {
    const router = new TestRouter({}).map();
    expect(router.searches.map(({ multicast }) => multicast)).toEqual([false, false]);
    expect(router.searches[0]?.text).toBe(
      `M-SEARCH * HTTP/1.1\r\nHOST: ${GATEWAY}:1900\r\nMAN: "ssdp:discover"\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:2\r\n\r\n`,
    );
    router.pass(250);
    const group = router.searches.filter(({ multicast }) => multicast);
    expect(group).toHaveLength(2);
    expect(group[0]?.text).toContain('HOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nMX: 1\r\n');
  });

  it('ends with the first answer', () => {
    const igd = new TestIgd();
    const router = run(igd);
    expect(router.searches).toHaveLength(2);
    expect(router.requests.filter(({ method }) => method === 'GET')).toHaveLength(1);
  });

  it.for([
    'http://192.168.1.66:5000/rootDesc.xml',
    'http://evil.example/rootDesc.xml',
    'https://192.168.1.1/rootDesc.xml',
    'http://192.168.1.1@evil.example/rootDesc.xml',
    'http://192.168.1.1.evil.example/x',
    'http://192.168.1.1:99999/x',
    'http://192.168.1.1:5000/a b\r\nX: y',
    `http://192.168.1.1/${'x'.repeat(600)}`,
    'file:///etc/passwd',
    '',
  ])('follows no LOCATION like %j', (location) => {
    const igd = new TestIgd();
    igd.location = location;
    const router = run(igd, 60_000);
    expect(router.requests).toEqual([]);
    expect(router.view).toEqual({ state: 'none' });
    expect(router.core.dropped()).toBeGreaterThan(0);
  });

  it('hears no other host, though it names the gateway', () => {
    const router = new TestRouter({}).map();
    const answer = Buffer.from(answerTo(router.searches[0]!.text, `http://${GATEWAY}:5000/rootDesc.xml`), 'latin1');
    router.event({ type: 'ssdp', from: { ip: '192.168.1.66', port: 1_900 }, bytes: answer });
    expect(router.requests).toEqual([]);
    router.event({ type: 'ssdp', from: { ip: GATEWAY, port: 40_000 }, bytes: answer });
    expect(router.requests).toHaveLength(1);
  });

  it('is not fooled by a hundred descriptions', () => {
    const router = new TestRouter({
      search: (text) => Array.from({ length: 100 }, (_, n) => answerTo(text, `http://${GATEWAY}:5000/${n}.xml`)),
      http: () => ({ kind: 'failed' }),
    }).map();
    expect(router.pass(60_000).requests).toHaveLength(4);
  });
});

describe('the connection', () => {
  it('is WANIPConnection:2, then :1, then WANPPPConnection', () => {
    const igd = new TestIgd([WAN_PPP, WAN_IP_1, WAN_IP_2]);
    const router = run(igd);
    expect(router.view).toEqual(active());
    expect(new Set(router.requests.slice(1).map(({ path }) => path))).toEqual(new Set([WAN_IP_2.control]));
  });

  it.for([
    ['is not connected', { status: 'Disconnected' }],
    ['has no address', { ip: '' }],
    ['has the address 0.0.0.0', { ip: '0.0.0.0' }],
    ['claims loopback', { ip: '127.0.0.1' }],
    ['claims a name', { ip: 'example.org' }],
    ['is controlled elsewhere', { control: 'http://192.168.1.66/ctl' }],
  ] as const)('is another one where the first %s', ([, change]) => {
    const igd = new TestIgd([{ ...WAN_IP_2, ...change }, WAN_PPP]);
    const router = run(igd);
    expect(router.view).toEqual(active());
    expect(router.requests.at(-1)?.path).toBe(WAN_PPP.control);
  });

  it('that is down everywhere is told', () => {
    expect(run(new TestIgd([{ ...WAN_IP_1, status: 'Disconnected' }])).view).toEqual({
      state: 'failed',
      why: 'network-failure',
    });
  });

  it('is found under a relative address and behind URLBase', () => {
    const igd = new TestIgd([{ ...WAN_IP_1, control: 'ctl' }]);
    igd.location = `http://${GATEWAY}:5000/igd/rootDesc.xml`;
    const router = run(igd);
    expect(router.requests.slice(1).every(({ path, port }) => path === '/igd/ctl' && port === 5_000)).toBe(true);
  });
});

describe('a mapping', () => {
  it('is asked for two hours, and again at half', () => {
    const igd = new TestIgd();
    const router = run(igd);
    expect(router.view).toEqual(active());
    expect(igd.ours).toEqual([[PORT, '7200']]);
    expect(adds(igd)).toBe(1);
    router.pass(3_600_000);
    expect(adds(igd)).toBe(2);
  });

  it('gets another port when its own is another host’s (718)', () => {
    const igd = new TestIgd().occupy(PORT);
    const router = run(igd);
    const [[port]] = igd.ours as [[number, string]];
    expect(port).not.toBe(PORT);
    expect(port).toBeGreaterThanOrEqual(1_024);
    expect(router.view).toEqual(active(port));
  });

  it('gets another port where the router only says that its own failed (501), and three of them', () => {
    const igd = new TestIgd();
    igd.refuse = ({ externalPort }) => (externalPort === String(PORT) ? 501 : null);
    const router = run(igd);
    const [[port]] = igd.ours as [[number, string]];
    expect(router.view).toEqual(active(port));
    const never = new TestIgd();
    never.refuse = () => 501;
    run(never);
    expect(adds(never)).toBe(4);
  });

  it('is given up after nine ports', () => {
    const igd = new TestIgd();
    igd.refuse = () => 718;
    const router = run(igd);
    expect(adds(igd)).toBe(9);
    expect(router.view).toEqual({ state: 'failed', why: 'no-resources' });
  });

  it.for([725, 402])('is permanent where the router knows no other (%i), then and later', (code) => {
    const igd = new TestIgd();
    igd.refuse = ({ lease }) => (lease === '0' ? null : code);
    const router = run(igd);
    expect(router.view).toEqual(active());
    expect(igd.ours).toEqual([[PORT, '0']]);
    expect(adds(igd)).toBe(2);
    router.pass(100_000_000);
    expect(router.view).toEqual(active());
    expect(adds(igd)).toBe(2 + 27);
  });

  it('has the same port inside and outside where that is demanded (724)', () => {
    const igd = new TestIgd();
    const left = { protocol: 'upnp' as const, transport: 'udp' as const, gateway: GATEWAY, nonce: null };
    igd.refuse = ({ externalPort }) => (externalPort === String(PORT) ? null : 724);
    const router = new TestRouter(igd.reply, [{ ...left, internalPort: PORT, externalPort: 40_000 }]).map().pass(5_000);
    expect(router.view).toEqual(active());
  });

  it.for([
    [606, 'not-authorized'],
    [728, 'no-resources'],
    [501, 'unsupported'],
    [402, 'unsupported'],
  ] as const)('that is refused (%i) is told as %s', ([code, why]) => {
    const igd = new TestIgd();
    igd.refuse = () => code;
    expect(run(igd).view).toEqual({ state: 'failed', why });
  });

  it('is made again within two minutes after the router forgot it', () => {
    const igd = new TestIgd();
    const router = run(igd);
    igd.entries.clear();
    router.pass(125_000);
    expect(igd.ours).toEqual([[PORT, '7200']]);
  });

  it('is made again by a router that came back with its description elsewhere', () => {
    const igd = new TestIgd();
    let port = 5_000;
    const router = new TestRouter({
      ...igd.reply,
      http: (request) => (request.port === port ? igd.answer(request) : { kind: 'failed' }),
    })
      .map()
      .pass(5_000);
    expect(router.view).toEqual(active());
    igd.entries.clear();
    port = 5_001;
    igd.location = `http://${GATEWAY}:5001/rootDesc.xml`;
    router.pass(130_000);
    expect(igd.ours).toEqual([[PORT, '7200']]);
    expect(router.view).toEqual(active());
  });

  it('follows the router to another external address', () => {
    const igd = new TestIgd();
    const router = run(igd);
    igd.services = [{ ...WAN_IP_1, ip: '81.2.69.99' }];
    router.pass(125_000);
    expect(router.view).toMatchObject({ external: { ip: '81.2.69.99' } });
  });

  it('follows it at once when something changed', () => {
    const igd = new TestIgd();
    const router = run(igd, 20_000);
    igd.services = [{ ...WAN_IP_1, ip: '81.2.69.99' }];
    router.event({ type: 'refresh' }).pass(100);
    expect(router.view).toMatchObject({ external: { ip: '81.2.69.99' } });
  });

  it('is deleted at the end', () => {
    const igd = new TestIgd();
    const router = run(igd).event({ type: 'stop' });
    expect(igd.ours).toEqual([]);
    expect(router.stopped).toBe(true);
  });

  it.for<[string, HttpResult, number]>([
    ['does not answer', { kind: 'failed' }, 1],
    ['answers nonsense', { kind: 'answer', status: 200, xml: null }, 1],
    ['knows of none (714)', fault(714), 0],
  ])('is kept in mind for the next run where the router %s when it is deleted', ([, result, kept]) => {
    const igd = new TestIgd();
    const router = run(igd);
    router.reply = { ...igd.reply, http: () => result };
    router.event({ type: 'stop' });
    expect(router.stopped).toBe(true);
    expect(router.saved).toHaveLength(kept);
  });

  it('that is granted after it was taken back is deleted all the same', () => {
    const igd = new TestIgd();
    const held: (() => void)[] = [];
    const router = new TestRouter({
      ...igd.reply,
      http: (request) => {
        if (!request.soap?.action.includes('#AddPortMapping')) return igd.answer(request);
        held.push(() => router.event({ type: 'http', id: request.id, result: igd.answer(request) }));
        return null;
      },
    })
      .map()
      .pass(5_000);
    router.event({ type: 'stop' });
    expect(router.stopped).toBe(false);
    held[0]?.();
    expect(igd.ours).toEqual([]);
    expect(router.stopped).toBe(true);
  });

  it('of an earlier run is taken over; of another port deleted, unless it is another host’s by now', () => {
    const lease = {
      protocol: 'upnp' as const,
      transport: 'udp' as const,
      gateway: GATEWAY,
      externalPort: 40_000,
      nonce: null,
    };
    const mine = new TestIgd().occupy(40_000, '192.168.1.10', 4_711);
    const router = new TestRouter(mine.reply, [{ ...lease, internalPort: 4_711 }]).map().pass(5_000);
    expect(router.view).toEqual(active(40_000));
    expect(mine.entries.get('UDP 40000')?.internalPort).toBe(String(PORT));
    expect(mine.actions).toContain('DeletePortMapping');

    const theirs = new TestIgd().occupy(40_000);
    new TestRouter(theirs.reply, [{ ...lease, internalPort: 4_711 }]).map().pass(5_000);
    expect(theirs.actions).not.toContain('DeletePortMapping');
    expect(theirs.entries.get('UDP 40000')?.client).toBe('192.168.1.99');
  });
});

describe('a router that answers nonsense', () => {
  it.for<[string, HttpResult]>([
    ['no XML', { kind: 'answer', status: 200, xml: null }],
    ['an empty document', { kind: 'answer', status: 200, xml: { name: 'root', text: '', children: [] } }],
    ['a redirect', { kind: 'answer', status: 302, xml: null }],
    ['nothing', { kind: 'failed' }],
  ])('to everything: %s', ([, result]) => {
    const igd = new TestIgd();
    const router = new TestRouter({ ...igd.reply, http: () => result }).map().pass(60_000);
    expect(router.view).toEqual({ state: 'none' });
    expect(router.requests).toHaveLength(1);
  });

  it('to the request itself is told as no answer', () => {
    const igd = new TestIgd();
    const router = new TestRouter({
      ...igd.reply,
      http: (request) => (request.soap?.action.includes('#AddPort') ? { kind: 'failed' } : igd.answer(request)),
    });
    expect(router.map().pass(5_000).view).toEqual({ state: 'failed', why: 'no-answer' });
  });

  it('under another number is dropped', () => {
    const router = run(new TestIgd());
    const before = router.core.dropped();
    router.event({ type: 'http', id: 999, result: { kind: 'failed' } });
    expect(router.core.dropped()).toBe(before + 1);
  });
});

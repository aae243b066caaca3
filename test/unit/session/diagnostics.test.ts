import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { machineKey } from '../../../engine/net/state/stores.ts';
import { maskIp, maskIps, redactor } from '../../../engine/session/redact.ts';
import { DISCOVERY_OFF, type SeenGame } from '../../../protocol/discovery.ts';
import type { DiagnosticsResult } from '../../../protocol/face.ts';
import { encodeInvite } from '../../../protocol/invite.ts';
import { UNKNOWN_NAT } from '../../../protocol/nat.ts';
import { peer, snapshot } from '../cli/snapshots.ts';
import { TestApp } from './harness.ts';

let app: TestApp;
beforeEach(() => {
  app = new TestApp().start();
});
afterEach(() => app.close());

async function bundle(): Promise<{ name: string; text: string }> {
  return (await app.do({ type: 'diagnostics' })) as DiagnosticsResult;
}

const ROOM = 'Grüße aus dem "Bau"';
const PASSWORD = 'opensesame-9000';
const THEIR_PASSWORD = 'their-other-secret';
const OWN_KEY = 'b3duIHB1YmxpYyBrZXkgb2YgdGhpcyBtZW1iZXIgMDE=';
const PEER_KEY = 'cGVlciBwdWJsaWMga2V5IG9mIHRoYXQgbWVtYmVyIDI=';
const INVITE = encodeInvite({
  name: 'Secret den',
  password: THEIR_PASSWORD,
  servers: ['wss://den.home.example:7868'],
});

const WORLD: SeenGame = {
  name: 'Minecraft Java',
  member: PEER_KEY,
  role: 'hosting',
  address: '10.87.99.98:25565',
  title: 'Castle of Annegret',
  at: 1,
};
const COUNTERS = {
  eventsDropped: 0,
  datagramsRejected: 2,
  txDropped: 0,
  routeMisses: 1,
  queue: { expressDropped: 0, bulkDropped: 40, bulkLate: 30, bulkBytes: 9_000, bulkWaitMs: 2.5, receiveDropped: 0 },
};

/** Everything that could hold a secret holds one. */
async function fillEverything(): Promise<void> {
  const engine = await app.join({
    room: ROOM,
    password: PASSWORD,
    nick: 'Annegret',
    server: { kind: 'address', urls: ['wss://rendezvous.annegret.example:7868/path-secret', 'ws://203.0.113.44:7868'] },
  });
  await app.do({ type: 'open-invite', link: INVITE });
  const nat = {
    ...UNKNOWN_NAT,
    publicAddresses: ['198.51.100.77', '2001:db8:1234:5678::9'],
    portMapping: { state: 'active' as const, external: '198.51.100.77:4711' },
  };
  engine.joined({
    ...snapshot(),
    room: { name: ROOM, server: 'wss://rendezvous.annegret.example:7868/path-secret' },
    self: {
      nick: 'Annegret',
      publicKey: OWN_KEY,
      ipv4: '10.87.65.43',
      ipv6: 'fd12:3456:789a::1',
      interface: 'warren0',
      nat,
    },
    peers: [
      peer({
        nick: 'Bartholomäus',
        publicKey: PEER_KEY,
        ipv4: '10.87.99.98',
        ipv6: 'fd12:3456:789a::2',
        path: { kind: 'direct', remote: '203.0.113.210:50123', rttMs: 18, jitterMs: 1, lossPct: 0, since: 1 },
        nat: { ...nat, publicAddresses: ['203.0.113.210'] },
        timeline: [{ at: 1_700_000_000_000, kind: 'direct', why: 'first', rttMs: 18 }],
      }),
    ],
    notices: [{ code: 'failed-guess', nick: 'Chrysanthemum', at: 5 }],
    discovery: {
      ...DISCOVERY_OFF,
      way: 'routes',
      rateLimited: 3,
      games: [WORLD],
    },
    device: COUNTERS,
    chat: [{ id: '0'.repeat(32), from: PEER_KEY, nick: 'Bartholomäus', text: 'meet me at the old mill', at: 1 }],
  });
  const machine = Buffer.from(machineKey(app.stateDir));
  const { log } = engine.options;
  log('info', `path to ${PEER_KEY}: relay to direct (better) via 203.0.113.210:50123 and [2001:db8:1234:5678::9]:4711`);
  log('warn', `no member is called ${JSON.stringify('Bartholomäus')} in ${JSON.stringify(ROOM)}`);
  log('error', `password ${PASSWORD} key ${machine.toString('base64')} ${machine.toString('hex')} ${INVITE}`);
  log('debug', `cannot write ${app.stateDir}: host rendezvous.annegret.example, ${encodeURIComponent(ROOM)}`);
}

describe('the diagnostics bundle', () => {
  it('holds no secret, wherever it was', async () => {
    await fillEverything();
    const { text } = await bundle();
    const machine = Buffer.from(machineKey(app.stateDir));
    for (const secret of [
      PASSWORD,
      THEIR_PASSWORD,
      ROOM,
      JSON.stringify(ROOM).slice(1, -1),
      encodeURIComponent(ROOM),
      'Grüße',
      'Secret den',
      'Annegret',
      'annegret',
      'Bartholomäus',
      'Chrysanthemum',
      'old mill',
      'Castle of',
      'path-secret',
      'den.home.example',
      OWN_KEY,
      PEER_KEY,
      PEER_KEY.slice(0, 12),
      machine.toString('base64'),
      machine.toString('hex'),
      'warren://',
      INVITE.slice(20, 40),
      '198.51.100.77',
      '203.0.113.210',
      '203.0.113.44',
      '10.87.65.43',
      '10.87.99.98',
      '2001:db8:1234',
      '3456:789a',
    ]) {
      expect(text.toLowerCase(), secret).not.toContain(secret.toLowerCase());
    }
  });

  it('holds what helps', async () => {
    await fillEverything();
    const { name, text } = await bundle();
    expect(name).toMatch(/^warren-diagnostics-\d{4}-\d\d-\d\dT\d\d-\d\d\.json$/);
    const found = JSON.parse(text);
    expect(found).toMatchObject({
      versions: { warren: '1.2.3', node: process.versions.node, electron: null },
      system: { platform: 'linux', shell: 'browser', locale: 'en' },
      builtInServers: ['wss://built-in.example'],
      preferences: { theme: 'system' },
      connection: { state: 'running', attached: false },
      snapshot: {
        state: 'joined',
        settings: { portMapping: true, hardNat: true, discovery: true },
        self: { interface: 'warren0', nat: { publicAddresses: ['198.51.x.x (reserved)', '2001:db8:x (reserved)'] } },
        peers: [
          {
            state: 'connected',
            path: { kind: 'direct', remote: '203.0.x.x (reserved):50123', rttMs: 18 },
            timeline: [{ kind: 'direct', why: 'first' }],
          },
        ],
        notices: [{ code: 'failed-guess' }],
        chatMessages: 1,
        discovery: { way: 'routes', rateLimited: 3, games: 1 },
        device: COUNTERS,
      },
    });
    expect(found.log.join('\n')).toContain('relay to direct (better) via 203.0.x.x (reserved):50123');
    // The same person is the same alias in the state and in the log.
    expect(found.log.join('\n')).toContain(found.snapshot.peers[0].nick);
    expect(found.connection.room).toBe(found.snapshot.room.name);
  });

  it('has the last 500 lines of the log', async () => {
    const engine = await app.join();
    for (let line = 1; line <= 700; line++) engine.options.log('debug', `line ${line}`);
    const { log } = JSON.parse((await bundle()).text);
    expect(log).toHaveLength(500);
    expect(log[0]).toMatch(/^\d{4}-.*Z debug line 201$/);
    expect(log[499]).toContain('line 700');
  });

  it('can be asked for at any time', async () => {
    expect(JSON.parse((await bundle()).text)).toMatchObject({
      connection: { state: 'idle' },
      snapshot: { room: null },
    });
  });
});

describe('taking out', () => {
  it('leaves neither password nor name in any text, however they are written', () => {
    const word = fc.string({ unit: 'grapheme', minLength: 4, maxLength: 20 }).filter((text) => text.trim().length >= 4);
    fc.assert(
      fc.property(word, word, fc.string(), fc.string(), (password, name, before, after) => {
        fc.pre(!'[password] name-0123456789abcdef ~'.includes(password) && !'[password]'.includes(name));
        const clean = redactor('salt', { passwords: [password], names: [name] });
        const text = clean(`${before} ${password} ${JSON.stringify(name)} ${encodeURIComponent(password)} ${after}`);
        expect(text.includes(password) && !`${before} ${after}`.includes(password)).toBe(false);
        expect(text).not.toContain(encodeURIComponent(password));
      }),
    );
  });

  it('finds a letter whose lower case is two characters', () => {
    const clean = redactor('salt', { passwords: ['\u0130stanbul'], names: [] });
    expect(clean('at \u0130stanbul, \u0130STANBUL, i\u0307stanbul')).toBe('at [password], [password], [password]');
  });

  it('takes a short name only where it stands alone', () => {
    const clean = redactor('salt', { passwords: [], names: ['al'] });
    expect(clean('external al, "al": normal')).toMatch(/^external name-[0-9a-f]{8}, "name-[0-9a-f]{8}": normal$/);
  });

  it('masks every address, and leaves what only looks like one', () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.ipV6(), (v4, v6) => {
        const masked = maskIps(`from ${v4}:80 to [${v6}]:80`);
        expect(masked).toBe(`from ${maskIp(v4)}:80 to [${maskIp(v6)}]:80`);
        expect(maskIp(v4).includes('x.x')).toBe(v4 !== '0.0.0.0' && !v4.startsWith('127.'));
      }),
    );
    expect(maskIps('at 14:02:33 version 1.2.3, 10.20.30.40.50, 300.1.1.1')).toBe(
      'at 14:02:33 version 1.2.3, 10.20.30.40.50, 300.1.1.1',
    );
    expect(maskIp('127.0.0.1')).toBe('127.0.0.1');
    expect(maskIp('192.168.7.9')).toBe('192.168.x.x (private)');
    expect(maskIp('8.8.8.8')).toBe('8.8.x.x (global)');
    expect(maskIp('::ffff:192.168.7.9')).toBe('192.168.x.x (private)');
  });
});

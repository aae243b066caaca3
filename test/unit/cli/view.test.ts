import * as fc from 'fast-check';
import stringWidth from 'string-width';
import { describe, expect, it } from 'vitest';
import { describeChanges } from '../../../cli/view/changes.ts';
import { renderNatCard } from '../../../cli/view/nat-card.ts';
import { printable } from '../../../cli/view/printable.ts';
import { renderRoom } from '../../../cli/view/room.ts';
import { fit, shorten } from '../../../cli/view/text.ts';
import { REASON_WORDS } from '../../../cli/view/words.ts';
import { DISCOVERY_OFF } from '../../../protocol/discovery.ts';
import { UNKNOWN_NAT } from '../../../protocol/nat.ts';
import { peer, snapshot } from './snapshots.ts';

const plain = { columns: 120, colour: false, now: 0 };

/** The table's head and rows: what follows the header's empty line. */
function tableOf(lines: string[]): string[] {
  return lines.slice(lines.indexOf('') + 1);
}

/** The only row of a table with one peer. */
const row = (change: Parameters<typeof peer>[0]) => tableOf(renderRoom(snapshot({ peers: [peer(change)] }), plain))[1];
/** The titles on a terminal of this width. */
const head = (columns: number) => tableOf(renderRoom(snapshot({ peers: [peer()] }), { ...plain, columns }))[0];

describe('text for a terminal', () => {
  it('makes control and bidirectional characters visible instead of obeying them', () => {
    expect(printable('a\u001b[2Jb\u202ec\u0007d\r\n')).toBe('a\u00b7[2Jb\u00b7c\u00b7d\u00b7\u00b7');
  });

  it('is exactly as wide as asked, in every script', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }).map(printable), fc.integer({ min: 1, max: 30 }), (text, columns) => {
        expect(stringWidth(fit(text, columns))).toBe(columns);
        expect(stringWidth(shorten(text, columns))).toBeLessThanOrEqual(columns);
      }),
    );
  });

  it('is cut between characters of double width', () => {
    expect(shorten('魔兽争霸三', 6)).toBe('魔兽\u2026');
    expect(fit('魔', 4, 'right')).toBe('  魔');
  });
});

describe('the room on a terminal', () => {
  it('names the room, the own address, the NAT, and what it means', () => {
    const text = renderRoom(snapshot(), plain).join('\n');
    expect(text).toContain('friday');
    expect(text).toContain('alice at 10.64.0.1');
    expect(text).toContain('NAT3 (port-restricted)');
    expect(text).toContain('UPnP');
    expect(text).toContain('Nobody else is here yet');
  });

  it('does not say that nobody is there before that is known', () => {
    const joining = renderRoom(snapshot({ state: 'joining' }), plain).join('\n');
    expect(joining).toContain('Looking for the server');
    expect(joining).not.toContain('Nobody');
  });

  it('says path and reason in words', () => {
    const relayed = peer({ path: { ...peer().path!, kind: 'relay', rttMs: 43 }, reason: 'hard-nat-pair' });
    const [titles, line] = tableOf(renderRoom(snapshot({ peers: [relayed] }), plain));
    expect(titles).toMatch(/^NICK +ADDRESS +PATH +RTT +JITTER +LOSS +NAT +WHY$/);
    expect(line).toContain('relay');
    expect(line).toContain('43 ms');
    expect(line).toContain(REASON_WORDS['hard-nat-pair']);
  });

  it('says what a punch does, how far it is, and its chance so far', () => {
    const punch = {
      strategy: 'birthday',
      phase: 'probing',
      probesSent: 340,
      probesMax: 2_000,
      mappings: 256,
      odds: 0.69,
    };
    expect(row({ punch })).toContain('guessing the port: 340 of 2000 tries, 69 % so far');
    expect(row({ punch: { ...punch, strategy: 'bracket', odds: null } })).toMatch(
      /counting its ports: 340 of 2000 tries$/,
    );
    // What may still fail is never certain.
    expect(row({ punch: { ...punch, odds: 0.999 } })).toContain('99 % so far');
    expect(row({ punch: { ...punch, strategy: 'of\u001bmorrow' } })).toContain('of\u00b7morrow: 340');
  });

  it('shows who is blocked, lost or connecting as that, not as a path', () => {
    expect(row({ blocked: true })).toContain('blocked');
    expect(row({ state: 'lost', path: null, reason: 'path-lost' })).toMatch(/ lost .*waiting for them to come back$/);
    expect(row({ state: 'connecting', path: null })).toContain('connecting');
  });

  it('lines columns up whatever the nicknames are, and never passes the terminal', () => {
    const nick = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 40 }),
      fc.constantFrom('小明', '가나다', 'é', '👩‍👩‍👧'),
    );
    fc.assert(
      fc.property(
        fc.array(nick, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 64, max: 140 }),
        (nicks, columns) => {
          const peers = nicks.map((name, index) =>
            peer({
              nick: name,
              ipv4: '10.64.12.200',
              reason: index % 2 ? 'no-answer' : null,
              publicKey: String(index),
            }),
          );
          const lines = tableOf(renderRoom(snapshot({ peers }), { ...plain, columns }));
          const rows = lines.filter((line) => line.includes('10.64.12.200'));
          expect(rows).toHaveLength(nicks.length);
          for (const line of lines) expect(stringWidth(line)).toBeLessThanOrEqual(columns);
          const starts = rows.map((line) => stringWidth(line.slice(0, line.indexOf('10.64.12.200'))));
          expect(new Set(starts).size).toBe(1);
        },
      ),
    );
  });

  it('puts the reason below where the terminal is too narrow for all of it', () => {
    const relayed = peer({ path: { ...peer().path!, kind: 'relay' }, reason: 'one-way' });
    const at = (columns: number) => tableOf(renderRoom(snapshot({ peers: [relayed] }), { ...plain, columns }));
    expect(at(120)[1]).toContain(REASON_WORDS['one-way']);
    expect(at(80)).toEqual([expect.not.stringContaining('WHY'), expect.any(String), `    ${REASON_WORDS['one-way']}`]);
  });

  it('drops jitter before loss, and loss before the round trip, on a narrow terminal', () => {
    expect(head(50)).not.toContain('JITTER');
    expect(head(50)).toContain('LOSS');
    expect(head(40)).not.toContain('LOSS');
    expect(head(40)).toContain('RTT');
  });

  it('shows a notice for a minute, with hostile nicknames made harmless', () => {
    const notices = [{ code: 'nick-taken', nick: 'b\u001b[31mob', at: 1_000 }];
    const at = (now: number) => renderRoom(snapshot({ notices }), { ...plain, now }).join('\n');
    expect(at(30_000)).toContain('two members use the same nickname: b\u00b7[31mob');
    expect(at(62_000)).not.toContain('nickname');
  });
});

describe('games on a terminal', () => {
  it('are told of friends by name, and of oneself as you', () => {
    const game = { name: 'Trackmania', role: 'seen' as const, address: null, title: null, at: 0 };
    const games = [
      { ...game, member: peer().publicKey },
      { ...game, member: snapshot().self!.publicKey },
    ];
    const text = renderRoom(snapshot({ peers: [peer()], discovery: { ...DISCOVERY_OFF, games } }), plain).join('\n');
    expect(text).toContain('Trackmania  bob plays or looks for it');
    expect(text).toContain('Trackmania  you play or look for it');
  });
});

describe('changes as plain lines', () => {
  it('tells the join, then each peer once for each path, and not for a new ping', () => {
    const relay = peer({ path: { ...peer().path!, kind: 'relay', rttMs: 43 }, reason: 'connecting' });
    const first = describeChanges(null, snapshot({ peers: [relay] }));
    expect(first).toContain('room friday: joined');
    expect(first).toContain('you are alice at 10.64.0.1 on warren0');
    expect(first).toContain('bob (10.64.0.2): relay, looking for a direct path, 43 ms');
    const slower = peer({ ...relay, path: { ...relay.path!, rttMs: 51 } });
    expect(describeChanges(snapshot({ peers: [relay] }), snapshot({ peers: [slower] }))).toEqual([]);
    expect(describeChanges(snapshot({ peers: [relay] }), snapshot({ peers: [peer()] }))).toEqual([
      'bob (10.64.0.2): direct, 18 ms',
    ]);
    expect(describeChanges(snapshot({ peers: [peer()] }), snapshot())).toEqual(['bob left']);
  });

  it('says that there is no way, with the reason, while packets wait for one', () => {
    const held = snapshot({ peers: [peer({ path: null, reason: 'path-lost' })] });
    expect(describeChanges(snapshot({ peers: [peer()] }), held)).toEqual([
      'bob (10.64.0.2): connecting, the direct path died; looking for another',
    ]);
  });

  it('tells a notice once', () => {
    const noted = snapshot({ notices: [{ code: 'server-unreachable', at: 5 }] });
    expect(describeChanges(snapshot(), noted)).toEqual(['! the rendezvous server does not answer']);
    expect(describeChanges(noted, noted)).toEqual([]);
  });
});

describe('the NAT card', () => {
  it('says unknown where nothing is known, and never no', () => {
    const text = renderNatCard({ nat: UNKNOWN_NAT, servers: [], stun: [] }, false).join('\n');
    expect(text).toMatch(/hairpin +unknown/);
    expect(text).toMatch(/carrier NAT +unknown/);
  });

  it('lists who answered how fast and who did not', () => {
    const nat = { ...UNKNOWN_NAT, type: 'NAT4' as const, cgnat: true };
    const servers = [
      { url: 'ws://a', rttMs: 12, error: null },
      { url: 'ws://b', rttMs: null, error: 'refused' },
    ];
    const text = renderNatCard({ nat, servers, stun: [{ endpoint: '192.0.2.1:3478', rttMs: null }] }, false).join('\n');
    expect(text).toContain('ws://a  12 ms');
    expect(text).toContain('ws://b  no answer (refused)');
    expect(text).toContain('192.0.2.1:3478  no answer');
    expect(text).toContain('ask your provider');
  });
});

describe('calls of games', () => {
  const lines = (change: Parameters<typeof snapshot>[0]) => renderRoom(snapshot(change), plain).join('\n');

  it('are counted once there were some, with what was held back and why', () => {
    const discovery = { ...DISCOVERY_OFF, way: 'copies' as const };
    expect(lines({ discovery })).not.toContain('calls of games');
    expect(lines({ discovery: { ...discovery, sent: 12, received: 40 } })).toMatch(
      /calls of games: 12 from here, 40 from friends$/m,
    );
    expect(lines({ discovery: { ...discovery, received: 7, rateLimited: 3, loops: 1 } })).toMatch(
      /7 from friends; held back: 3 too many at once, 0 twice, 1 echoes$/m,
    );
  });

  it('that stay here are said to do so, with the way to change it', () => {
    const { settings } = snapshot();
    expect(lines({ settings: { ...settings, discovery: false } })).toContain('warren set discovery on');
  });
});

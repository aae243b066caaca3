import { decode, encode, type Packet, type RecordType } from 'dns-packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RoomMemberView, RoomView } from '../../../engine/core/room/contract.ts';
import { labelOf, namesOf } from '../../../engine/names/labels.ts';
import { answer, type Flavour } from '../../../engine/names/zone.ts';

const member = (nick: string, number: number): RoomMemberView => ({
  key: Buffer.alloc(32, number).toString('base64'),
  nick,
  ipv4: `10.64.0.${number}`,
  ipv6: `fd00::${number}`,
  proven: true,
  introduced: true,
  blocked: false,
});
const room = (...members: RoomMemberView[]): RoomView => ({
  state: 'joined',
  topic: '',
  publicKey: Buffer.alloc(32, 1).toString('base64'),
  privateKey: new Uint8Array(32),
  nick: 'Ann',
  ipv4: '10.64.0.1',
  prefixLength: 20,
  ipv6: 'fd00::1',
  server: '',
  members,
});
const hosts = namesOf(
  room(
    member('Bob the Builder', 2),
    member('小明', 3),
    { ...member('eve', 4), blocked: true },
    { ...member('player-0505', 5), introduced: false },
  ),
);

function ask(name: string, type: RecordType | 'ANY', flavour: Flavour = 'dns'): Packet | null {
  const query = encode({ type: 'query', id: 77, flags: 0x0100, questions: [{ type: type as RecordType, name }] });
  const bytes = answer(query, hosts, flavour);
  return bytes && decode(Buffer.from(bytes));
}
const told = (packet: Packet | null) => packet?.answers?.map((one) => ('data' in one ? one.data : null));
const code = (packet: Packet | null) => (packet as { rcode?: string } | null)?.rcode;

describe('a member’s name', () => {
  it.each([
    ['Ann', 'ann'],
    ['Bob the Builder', 'bob-the-builder'],
    ['x_X.Sniper.X_x', 'x-x-sniper-x-x'],
    ['小明', 'xn--yeto6u'],
    ['Zoë', 'xn--zo-ija'],
    ['ＦＵＬＬ', 'full'],
    ['--', ''],
    ['🎮', 'xn--fl8h'],
    ["'; drop table", 'drop-table'],
  ])('%s is %s', (nick, label) => {
    expect(labelOf(nick)).toBe(label);
  });

  it('is always a label of DNS or nothing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (nick) => {
        expect(labelOf(nick)).toMatch(/^$|^(?!-)[a-z0-9-]{1,63}(?<!-)$/);
      }),
    );
  });

  it('is never another’s', () => {
    const names = namesOf(room(member('ann', 5), member('A.N', 6), member('a n', 7), member('***', 8))).map(
      ({ name }) => name,
    );
    expect(new Set(names).size).toBe(5);
    expect(names).toContain('ann.warren');
    expect(names).toContain('ann-05050505.warren');
    expect(names).toContain('player-08080808.warren');
  });
});

describe('the resolver', () => {
  it('knows everyone by both families, and backwards', () => {
    expect(told(ask('bob-the-builder.warren', 'A'))).toEqual(['10.64.0.2']);
    expect(told(ask('BOB-the-builder.Warren', 'AAAA'))).toEqual(['fd00::2']);
    expect(told(ask('ann.warren', 'ANY'))).toEqual(['10.64.0.1', 'fd00::1']);
    expect(told(ask('小明.warren', 'A'))).toEqual(['10.64.0.3']);
    expect(told(ask('2.0.64.10.in-addr.arpa', 'PTR'))).toEqual(['bob-the-builder.warren']);
    const nibbles = `3.${'0.'.repeat(27)}0.0.d.f.ip6.arpa`;
    expect(told(ask(nibbles, 'PTR'))).toEqual(['xn--yeto6u.warren']);
  });

  it('says what is not there, and refuses what is not its own', () => {
    expect(code(ask('nobody.warren', 'A'))).toBe('NXDOMAIN');
    expect(code(ask('eve.warren', 'A'))).toBe('NXDOMAIN');
    expect(code(ask('player-0505.warren', 'A'))).toBe('NXDOMAIN');
    expect(code(ask('9.0.64.10.in-addr.arpa', 'PTR'))).toBe('NXDOMAIN');
    expect(code(ask('example.org', 'A'))).toBe('REFUSED');
    expect(ask('ann.warren', 'MX')).toMatchObject({
      rcode: 'NOERROR',
      answers: [],
      flag_aa: true,
      flag_rd: true,
      id: 77,
    });
  });
});

describe('neighbours', () => {
  it('ask by LLMNR for the label alone, and hear nothing of others', () => {
    expect(told(ask('bob-the-builder', 'A', 'llmnr'))).toEqual(['10.64.0.2']);
    expect(ask('bob-the-builder', 'A', 'llmnr')).toMatchObject({ id: 77, flag_aa: false, rcode: 'NOERROR' });
    expect(ask('printer', 'A', 'llmnr')).toBeNull();
    expect(ask('bob-the-builder.example.org', 'A', 'llmnr')).toBeNull();
  });

  it('ask by mDNS under .local', () => {
    expect(ask('ann.local', 'A', 'mdns')).toMatchObject({ id: 0, questions: [], flag_aa: true });
    expect(ask('ann.local', 'A', 'mdns')?.answers).toMatchObject([{ data: '10.64.0.1', flush: true }]);
    expect(ask('ann.local', 'A', 'mdns-legacy')).toMatchObject({ id: 77, answers: [{ ttl: 10 }] });
    expect(told(ask('小明.local', 'AAAA', 'mdns'))).toEqual(['fd00::3']);
    expect(ask('ann.warren', 'A', 'mdns')).toBeNull();
    expect(ask('_googlecast._tcp.local', 'PTR', 'mdns')).toBeNull();
  });
});

it('answers no answers, and survives any bytes', () => {
  expect(
    answer(encode({ type: 'response', id: 1, questions: [{ type: 'A', name: 'ann.warren' }] }), hosts, 'dns'),
  ).toBeNull();
  const real = new Uint8Array(encode({ type: 'query', id: 1, questions: [{ type: 'A', name: 'ann.warren' }] }));
  const bent = fc.tuple(fc.nat(real.length - 1), fc.nat(255)).map(([at, byte]) => real.with(at, byte));
  fc.assert(
    fc.property(
      fc.oneof(fc.uint8Array({ maxLength: 300 }), bent),
      fc.constantFrom('dns', 'llmnr', 'mdns'),
      (bytes, flavour) => {
        answer(bytes, hosts, flavour as Flavour);
      },
    ),
  );
});

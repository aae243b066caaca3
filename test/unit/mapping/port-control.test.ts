import { describe, expect, it } from 'vitest';
import {
  isMap,
  isNatPmp,
  isPcp,
  lifetimeOf,
  natPmpAddress,
  natPmpMapping,
  nonceOf,
  pcpAnswer,
  suggestedPortOf,
  internalPortOf,
} from './answers.ts';
import { EXTERNAL, PORT, type Reply, TestRouter } from './router.ts';

/** Time that a gateway which started 100 s before the test shows. */
const epochAt = (at: number) => 100 + Math.floor(at / 1_000);

const pcpRouter: Reply = {
  portControl: (bytes, at) => (isPcp(bytes) ? [pcpAnswer(bytes, { epoch: epochAt(at) })] : []),
};
const natPmpRouter: Reply = {
  portControl: (bytes, at) => {
    const epoch = epochAt(at);
    if (isPcp(bytes)) return [natPmpAddress({ result: 1, epoch }).subarray(0, 8)];
    return [isMap(bytes) ? natPmpMapping(bytes, { epoch }) : natPmpAddress({ epoch })];
  },
};
const routers = [
  ['pcp', pcpRouter, isPcp],
  ['nat-pmp', natPmpRouter, isNatPmp],
] as const;

describe.for(routers)('a gateway that speaks %s', ([protocol, reply, isOurs]) => {
  const active = { state: 'active', protocol, external: { ip: EXTERNAL, port: PORT } };
  const maps = (router: TestRouter) => router.sent.filter(({ bytes }) => isOurs(bytes) && isMap(bytes));

  it('maps the port, and is asked again at half of the lifetime, for the same', () => {
    const router = new TestRouter(reply).map().pass(1_000);
    expect(router.view).toEqual(active);
    expect(maps(router).map(({ bytes }) => lifetimeOf(bytes))).toEqual([7_200]);
    router.pass(3_598_000);
    expect(maps(router)).toHaveLength(1);
    router.pass(2_000);
    const [first, second] = maps(router);
    expect(second?.bytes).toEqual(first?.bytes);
    expect(router.view).toEqual(active);
  });

  it('is believed when it gives another port, which is asked for from then on', () => {
    const other: Reply = {
      portControl: (bytes, at) =>
        (reply.portControl?.(bytes, at) ?? []).map((answer) => {
          const changed = Buffer.from(answer);
          if (isOurs(bytes) && isMap(bytes)) changed.writeUInt16BE(40_000, isPcp(bytes) ? 42 : 10);
          return changed;
        }),
    };
    const router = new TestRouter(other).map().pass(3_700_000);
    expect(router.view).toEqual({ ...active, external: { ip: EXTERNAL, port: 40_000 } });
    expect(maps(router).map(({ bytes }) => suggestedPortOf(bytes))).toEqual([PORT, 40_000]);
  });

  it('is told to delete with the lifetime 0, and has time to answer', () => {
    const router = new TestRouter(reply).map().pass(1_000);
    router.event({ type: 'stop' });
    const last = maps(router).at(-1)!.bytes;
    expect([lifetimeOf(last), suggestedPortOf(last), internalPortOf(last)]).toEqual([0, 0, PORT]);
    if (protocol === 'pcp') expect(nonceOf(last)).toBe(nonceOf(maps(router)[0]!.bytes));
    expect(router.stopped).toBe(true);
    expect(router.saved).toEqual([]);
  });

  it('is not waited for any longer than two seconds when it does not answer the delete', () => {
    const router = new TestRouter(reply).map().pass(1_000);
    router.reply = {};
    router.event({ type: 'stop' });
    expect(router.stopped).toBe(false);
    const deletes = maps(router).length - 1;
    router.pass(2_000);
    expect(router.stopped).toBe(true);
    expect(maps(router)).toHaveLength(deletes + 3);
  });

  it('is told once more by the next run when it did not answer the delete', () => {
    const router = new TestRouter(reply).map().pass(1_000);
    router.reply = {};
    router.event({ type: 'stop' }).pass(2_000);
    expect(router.saved).toMatchObject([{ protocol, internalPort: PORT }]);
    const next = new TestRouter(reply, router.saved!).map(PORT + 1).pass(1_000);
    expect(maps(next).map(({ bytes }) => [internalPortOf(bytes), lifetimeOf(bytes)])).toContainEqual([PORT, 0]);
    expect(next.saved).toMatchObject([{ internalPort: PORT + 1 }]);
  });

  it('that did not answer a delete yet gets the same mapping back when it is wanted again', () => {
    const router = new TestRouter(reply).map().pass(1_000);
    router.reply = {};
    router.event({ type: 'unmap', transport: 'udp', internalPort: PORT }).pass(100);
    router.reply = reply;
    router.map().pass(5_000);
    expect(router.view).toEqual(active);
    if (protocol === 'pcp') expect(new Set(maps(router).map(({ bytes }) => nonceOf(bytes))).size).toBe(1);
    expect(router.saved).toHaveLength(1);
  });

  it('that began anew is asked again at once', () => {
    const router = new TestRouter(reply).map().pass(1_000);
    const rebooted: Reply = {
      portControl: (bytes, at) => reply.portControl?.(bytes, at - 100_000) ?? [],
    };
    router.pass(119_000);
    router.reply = rebooted;
    router.pass(10_000);
    expect(maps(router)).toHaveLength(1);
    router.pass(120_000);
    expect(maps(router)).toHaveLength(2);
    expect(router.view).toEqual(active);
  });

  it('is followed to another external address as soon as something changed', () => {
    const router = new TestRouter(reply).map().pass(20_000);
    const moved = '81.2.69.99';
    router.reply = {
      portControl: (bytes, at) => {
        const said = { epoch: epochAt(at), ip: moved };
        if (isPcp(bytes)) return protocol === 'pcp' ? [pcpAnswer(bytes, said)] : [];
        return protocol === 'pcp' ? [] : [isMap(bytes) ? natPmpMapping(bytes, said) : natPmpAddress(said)];
      },
    };
    router.event({ type: 'refresh' }).pass(100);
    expect(router.view).toEqual({ ...active, external: { ip: moved, port: PORT } });
  });

  it('that maps nothing yet is asked again as soon as something changed, but not each time', () => {
    const router = new TestRouter({}).map().pass(40_000);
    router.reply = reply;
    const sent = router.sent.length;
    router.event({ type: 'refresh' }).pass(1_000);
    expect(router.view).toEqual(active);
    const other = new TestRouter({}).map().pass(40_000);
    for (let i = 0; i < 100; i++) other.event({ type: 'refresh' }).pass(100);
    expect(other.sent.length - sent).toBeLessThan(4 * 7);
  });

  it('whose clock jumps with every answer is not asked for ever', () => {
    let flip = false;
    const mad: Reply = {
      portControl: (bytes) => {
        flip = !flip;
        return reply.portControl?.(bytes, flip ? 90_000_000 : 0) ?? [];
      },
    };
    const router = new TestRouter(mad).map().pass(60_000);
    expect(maps(router).length).toBeLessThanOrEqual(8);
  });

  it('keeps the mapping while a renewal is lost, until the lease is over', () => {
    const router = new TestRouter(reply).map().pass(1_000);
    router.reply = {};
    router.pass(7_190_000);
    expect(router.view).toEqual(active);
    expect(maps(router).length).toBeGreaterThan(7);
    router.pass(20_000);
    expect(router.view.state).not.toBe('active');
    router.reply = reply;
    router.pass(125_000);
    expect(router.view).toEqual(active);
  });

  it.for([
    ['none', 0, { state: 'failed', why: 'hostile' }],
    ['a second', 1, active],
    ['136 years', 0xffff_ffff, active],
  ] as const)('is not obeyed when it promises %s', ([, lifetimeS, wanted]) => {
    const liar: Reply = {
      portControl: (bytes, at) =>
        (reply.portControl?.(bytes, at) ?? []).map((answer) => {
          const changed = Buffer.from(answer);
          if (isOurs(bytes) && isMap(bytes)) changed.writeUInt32BE(lifetimeS, isPcp(bytes) ? 4 : 12);
          return changed;
        }),
    };
    const router = new TestRouter(liar).map().pass(60_000);
    // A lifetime of zero answers no request of ours: it is dropped, and the request goes unanswered.
    expect(router.view).toEqual(lifetimeS === 0 ? { state: 'failed', why: 'no-answer' } : wanted);
    expect(maps(router).length).toBeLessThanOrEqual(8);
    if (lifetimeS > 1) expect(router.pass(90_000_000).view).toEqual(active);
  });

  it('takes over what an earlier run left, and closes what was for another port', () => {
    const nonce = protocol === 'pcp' ? '00112233445566778899aabb' : null;
    const left = { protocol, transport: 'udp' as const, gateway: '192.168.1.1', externalPort: 40_000, nonce };
    const same = new TestRouter(reply, [{ ...left, internalPort: PORT }]).map().pass(1_000);
    expect(maps(same).map(({ bytes }) => [lifetimeOf(bytes), suggestedPortOf(bytes)])).toEqual([[7_200, 40_000]]);
    if (nonce !== null) expect(nonceOf(maps(same)[0]!.bytes)).toBe(nonce);

    const other = new TestRouter(reply, [{ ...left, internalPort: 4_711 }]).map().pass(1_000);
    expect(maps(other).map(({ bytes }) => [internalPortOf(bytes), lifetimeOf(bytes), suggestedPortOf(bytes)])).toEqual([
      [4_711, 0, 0],
      [PORT, 7_200, 40_000],
    ]);
    expect(other.saved).toMatchObject([{ internalPort: PORT, externalPort: 40_000 }]);
  });

  it('keeps in mind what was left at other gateways', () => {
    const away = {
      protocol,
      transport: 'udp' as const,
      gateway: '10.0.0.1',
      internalPort: 1,
      externalPort: 2,
      nonce: null,
    };
    const router = new TestRouter(reply, [away]).map().pass(1_000);
    expect(maps(router)).toHaveLength(1);
    expect(router.saved).toContainEqual(away);
  });
});

describe('requests', () => {
  it('are repeated after 250 ms, doubling, seven times, and again after two minutes', () => {
    const router = new TestRouter({}).map().pass(119_000);
    const times = router.sent.filter(({ bytes }) => isPcp(bytes)).map(({ at }) => at - 1_000);
    expect(times).toEqual([0, 250, 750, 1_750, 3_750, 7_750, 15_750]);
    expect(router.sent.filter(({ bytes }) => isNatPmp(bytes))).toHaveLength(7);
    expect(router.view).toEqual({ state: 'none' });
    router.pass(1_000);
    expect(router.sent.filter(({ bytes }) => isPcp(bytes))).toHaveLength(8);
  });

  it('open nothing while it is only asked who speaks what', () => {
    const router = new TestRouter({}).map().pass(60_000);
    expect(router.sent.filter(({ bytes }) => isMap(bytes))).toEqual([]);
  });

  it('go to PCP where both are spoken', () => {
    const both: Reply = {
      portControl: (bytes, at) => (isPcp(bytes) ? pcpRouter : natPmpRouter).portControl?.(bytes, at) ?? [],
    };
    const router = new TestRouter(both).map().pass(1_000);
    expect(router.view).toMatchObject({ protocol: 'pcp' });
    expect(router.sent.filter(({ bytes }) => isNatPmp(bytes) && isMap(bytes))).toEqual([]);
  });

  it('go on to NAT-PMP where PCP refuses, and tell why when both do', () => {
    const half: Reply = {
      portControl: (bytes, at) =>
        isPcp(bytes) && isMap(bytes)
          ? [pcpAnswer(bytes, { result: 2, epoch: epochAt(at) })]
          : ((isPcp(bytes) ? pcpRouter : natPmpRouter).portControl?.(bytes, at) ?? []),
    };
    expect(new TestRouter(half).map().pass(1_000).view).toMatchObject({ state: 'active', protocol: 'nat-pmp' });
    const none: Reply = {
      portControl: (bytes, at) => {
        const epoch = epochAt(at);
        if (isPcp(bytes)) return [pcpAnswer(bytes, { result: isMap(bytes) ? 8 : 0, epoch })];
        return [isMap(bytes) ? natPmpMapping(bytes, { result: 4, epoch }) : natPmpAddress({ epoch })];
      },
    };
    expect(new TestRouter(none).map().pass(5_000).view).toEqual({ state: 'failed', why: 'no-resources' });
  });
});

describe('answers are dropped and counted', () => {
  const silent = () => new TestRouter({}).map();
  const announce = (router: TestRouter) => pcpAnswer(router.sent.find(({ bytes }) => isPcp(bytes))!.bytes);

  it.for([
    ['another host', { ip: '192.168.1.66', port: 5_351 }],
    ['another port', { ip: '192.168.1.1', port: 5_350 }],
  ] as const)('from %s', ([, from]) => {
    const router = silent();
    router.receive(announce(router), from).receive(natPmpAddress(), from).pass(1_000);
    expect(router.view).toEqual({ state: 'none' });
    expect(router.sent.filter(({ bytes }) => isMap(bytes))).toEqual([]);
    expect(router.core.dropped()).toBe(2);
  });

  it('with another nonce, or for another port', () => {
    const router = new TestRouter({
      portControl: (bytes) => (isPcp(bytes) && !isMap(bytes) ? [pcpAnswer(bytes)] : []),
    }).map();
    const map = router.sent.find(({ bytes }) => isMap(bytes))!.bytes;
    const wrongNonce = Buffer.from(pcpAnswer(map));
    wrongNonce.writeUInt8(wrongNonce.readUInt8(24) ^ 1, 24);
    const wrongPort = Buffer.from(pcpAnswer(map));
    wrongPort.writeUInt16BE(1, 40);
    router.receive(wrongNonce).receive(wrongPort);
    expect(router.core.dropped()).toBe(2);
    expect(router.view).toEqual({ state: 'none' });
    expect(router.receive(pcpAnswer(map)).view).toMatchObject({ state: 'active' });
  });

  it('that nobody asked for, or that are cut short', () => {
    const router = silent().receive(natPmpAddress()).pass(1_000);
    const before = router.core.dropped();
    const unasked = natPmpMapping(Uint8Array.from([0, 2, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1]));
    router
      .receive(unasked)
      .receive(natPmpAddress())
      .receive(Uint8Array.of(2, 0x80))
      .receive(Uint8Array.of(0, 128, 0));
    expect(router.core.dropped()).toBe(before + 4);
  });

  it.for(['127.0.0.1', '224.0.0.1', '169.254.1.1', '255.255.255.255'])('for the external address %s', (ip) => {
    const router = new TestRouter({
      portControl: (bytes) =>
        isPcp(bytes) ? [pcpAnswer(bytes, { ip })] : [isMap(bytes) ? natPmpMapping(bytes) : natPmpAddress({ ip })],
    }).map();
    expect(router.pass(5_000).view).toEqual({ state: 'failed', why: 'hostile' });
  });

  it('but a private or carrier’s external address is a mapping all the same', () => {
    for (const ip of ['192.168.0.2', '100.64.0.9']) {
      const router = new TestRouter({ portControl: (bytes) => (isPcp(bytes) ? [pcpAnswer(bytes, { ip })] : []) }).map();
      expect(router.pass(1_000).view).toMatchObject({ state: 'active', external: { ip } });
    }
  });
});

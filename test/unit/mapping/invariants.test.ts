/** Whatever a gateway says, in whatever order: the mapper asks in moderation, believes nothing impossible, and ends. */
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { isUsableExternal } from '../../../engine/core/mapping/external.ts';
import { natPmpAddress, natPmpMapping, pcpAnswer } from './answers.ts';
import { answerTo, fault, TestIgd, xml } from './igd-router.ts';
import { GATEWAY, PORT, type Reply, TestRouter } from './router.ts';

const HOUR_MS = 3_600_000;
/** More than an honest hour needs (probes, checks, renewals), far less than what a flood would be. */
const MOST_DATAGRAMS = 2_000;
const MOST_REQUESTS = 1_000;

const small = { result: fc.nat(20), epoch: fc.nat(10_000), externalPort: fc.nat(65_535), lifetimeS: fc.nat(100) };
const ip = fc.constantFrom('81.2.69.10', '127.0.0.1', '0.0.0.0', '100.64.0.1', '255.255.255.255', '10.0.0.1');
const lie = fc.record({ ...small, ip });

/** How a gateway answers one request: in form, with lies; with noise; or not at all. */
const datagrams = fc.oneof(
  { weight: 4, arbitrary: lie.map((said) => (asked: Uint8Array) => inForm(asked, said)) },
  { weight: 2, arbitrary: ip.map((external) => (asked: Uint8Array) => inForm(asked, { ip: external })) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 80 }).map((noise) => () => [noise]) },
  { weight: 1, arbitrary: fc.constant(() => [] as Uint8Array[]) },
);
const documents = fc.oneof(
  { weight: 4, arbitrary: fc.constant('honest' as const) },
  { weight: 1, arbitrary: fc.constantFrom(402, 501, 606, 714, 718, 724, 725).map((code) => fault(code)) },
  { weight: 1, arbitrary: fc.constantFrom(xml(200, '<a/>'), xml(302, ''), { kind: 'failed' as const }) },
);
const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.nat(600_000).map((ms) => (router: TestRouter) => router.pass(ms)) },
    { weight: 1, arbitrary: fc.constant((router: TestRouter) => router.event({ type: 'refresh' })) },
    { weight: 1, arbitrary: fc.nat(2).map((n) => (router: TestRouter) => router.map(PORT + n)) },
    {
      weight: 1,
      arbitrary: fc
        .nat(2)
        .map((n) => (router: TestRouter) => router.event({ type: 'unmap', transport: 'udp', internalPort: PORT + n })),
    },
  ),
  { maxLength: 12 },
);

function inForm(asked: Uint8Array, said: Parameters<typeof pcpAnswer>[1]): Uint8Array[] {
  if (asked[0] === 2) return [pcpAnswer(asked, said)];
  return [asked.length === 2 ? natPmpAddress(said) : natPmpMapping(asked, said)];
}

/** Takes its answers from the lists in turn, over and over. */
function gateway(
  answers: readonly ((asked: Uint8Array) => Uint8Array[])[],
  pages: readonly (ReturnType<typeof xml> | 'honest')[],
): Reply {
  const igd = new TestIgd();
  let turn = 0;
  return {
    portControl: (asked) => answers[turn++ % answers.length]?.(asked) ?? [],
    search: (text) => [answerTo(text, `http://${GATEWAY}:5000/rootDesc.xml`)],
    http: (request) => {
      const page = pages[turn++ % pages.length] ?? 'honest';
      return page === 'honest' ? igd.answer(request) : page;
    },
  };
}

it('holds for any gateway', () => {
  const lists = [
    fc.array(datagrams, { minLength: 1, maxLength: 8 }),
    fc.array(documents, { minLength: 1, maxLength: 8 }),
  ] as const;
  fc.assert(
    fc.property(...lists, steps, (answers, pages, todo) => {
      const router = new TestRouter(gateway(answers, pages)).map();
      const begun = router.now;
      for (const step of todo) step(router);
      const hours = 1 + (router.now - begun) / HOUR_MS;
      expect(router.sent.length).toBeLessThan(MOST_DATAGRAMS * hours);
      expect(router.requests.length).toBeLessThan(MOST_REQUESTS * hours);
      const { view } = router;
      if (view.state === 'active') {
        expect(isUsableExternal(view.external.ip)).toBe(true);
        expect(view.external.port).toBeGreaterThan(0);
      }
      router.event({ type: 'stop' }).pass(2_000);
      expect(router.stopped).toBe(true);
    }),
    { numRuns: 300 },
  );
});

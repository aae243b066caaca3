import { Ban, Radio, Undo2 } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { type PathChange, type PeerSnapshot, pingResult } from '../../../protocol/app.ts';
import type { MemberAccess } from '../../../protocol/filter.ts';
import { useFormat, useText } from '../../i18n/text.tsx';
import { useActions } from '../../store/hooks.ts';
import { isDirect } from '../../store/member.ts';
import { isolated, plainLine } from '../../store/plain.ts';
import { Button } from '../../ui/button.tsx';
import { Confirm } from '../../ui/confirm.tsx';
import { CopyValue } from '../../ui/copy.tsx';
import { bytesText, msText, pingText } from '../../ui/format.ts';
import { SendFile } from '../files/send.tsx';
import { LongShotPart } from './long-shot.tsx';
import { PunchView, punchedText } from './punch.tsx';

/** What a member opens into: hole punching live, the path timeline, details, block and ping. */
export function MemberDetails({ peer }: { peer: PeerSnapshot }): ReactNode {
  return (
    <div className="flex flex-col gap-4 border-t border-line bg-ground/60 px-3 py-4 sm:ps-16 sm:pe-4">
      {peer.punch !== null && <PunchView peer={peer} punch={peer.punch} />}
      {peer.longShot !== undefined && <LongShotPart peer={peer} shot={peer.longShot} />}
      <div className="grid gap-x-8 gap-y-4 md:grid-cols-2">
        <Timeline changes={peer.timeline} />
        <Facts peer={peer} />
      </div>
      <Actions peer={peer} />
    </div>
  );
}

function Timeline({ changes }: { changes: readonly PathChange[] }): ReactNode {
  const t = useText();
  return (
    <section>
      <h3 className="mb-1.5 text-[13px] font-semibold">{t('member.timeline')}</h3>
      {changes.length === 0 && <p className="text-[13px] text-soft">{t('member.timelineEmpty')}</p>}
      <ol className="flex flex-col text-[13px]">
        {changes.map((change) => (
          <TimelineEntry key={`${change.at} ${change.kind}`} change={change} />
        ))}
      </ol>
    </section>
  );
}

/** Such as: 14:02 direct 18 ms. */
function TimelineEntry({ change: { at, kind, why, rttMs, punch } }: { change: PathChange }): ReactNode {
  const t = useText();
  const format = useFormat();
  const path = t(`pathShort.${kind ?? 'none'}`);
  const colour = kind === null ? 'bg-danger' : isDirect(kind) ? 'bg-direct' : 'bg-relayed';
  return (
    <li className="group flex items-baseline gap-2.5">
      <time
        dateTime={new Date(at).toISOString()}
        title={format.dateTime(at, { dateStyle: 'medium', timeStyle: 'medium' })}
        className="w-11 shrink-0 text-soft"
      >
        {format.dateTime(at, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })}
      </time>
      <span
        aria-hidden
        className="relative flex w-2.5 shrink-0 justify-center self-stretch before:absolute before:inset-y-0 before:w-px before:bg-line group-first:before:top-2 group-last:before:bottom-auto group-last:before:h-2"
      >
        <span className={`relative mt-1.5 size-2 rounded-full ${colour}`} />
      </span>
      <span className="pb-1">
        <span className="font-medium">
          {rttMs === null ? path : t('member.timelineEntry', { path, ms: msText(rttMs) })}
        </span>{' '}
        <span className="text-soft">{punch === undefined ? t(`why.${why}`) : punchedText(t, punch)}</span>
      </span>
    </li>
  );
}

function Facts({ peer }: { peer: PeerSnapshot }): ReactNode {
  const t = useText();
  const format = useFormat();
  const { path, nat } = peer;
  return (
    <dl className="grid h-fit grid-cols-[auto_minmax(0,1fr)] gap-x-4 text-[13px]">
      <Fact name={t('member.address')}>
        {peer.ipv4 !== null && <CopyValue value={peer.ipv4} className="-ms-1" />}
        {peer.ipv6 !== null && <CopyValue value={peer.ipv6} className="-ms-1" />}
      </Fact>
      {peer.name !== undefined && (
        <Fact name={t('member.name')}>
          <CopyValue value={peer.name} className="-ms-1" />
        </Fact>
      )}
      <Fact name={t('member.remote')}>
        {path === null ? (
          t('common.unknown')
        ) : (
          <span className="font-mono break-all">{plainLine(path.remote, 128)}</span>
        )}
      </Fact>
      <Fact name={t('member.jitter')}>{pingText(t, path?.jitterMs ?? null)}</Fact>
      <Fact name={t('member.network')}>{t(`network.types.${nat?.type ?? 'unknown'}.name`)}</Fact>
      <Fact name={t('member.received')}>{bytesText(peer.rxBytes)}</Fact>
      <Fact name={t('member.sent')}>{bytesText(peer.txBytes)}</Fact>
      <Fact name={t('member.handshake')}>
        {peer.lastHandshake === null
          ? t('member.never')
          : format.dateTime(peer.lastHandshake, {
              hour: '2-digit',
              minute: '2-digit',
              second: '2-digit',
              hourCycle: 'h23',
            })}
      </Fact>
      {peer.broadcasts !== undefined && peer.broadcasts.received + peer.broadcasts.dropped > 0 && (
        <Fact name={t('reach.broadcasts')}>
          {t('reach.held', { count: peer.broadcasts.received, dropped: peer.broadcasts.dropped })}
        </Fact>
      )}
      {peer.access !== undefined && <Access access={peer.access} />}
      <Fact name={t('member.key')}>
        <span className="font-mono break-all text-soft">{plainLine(peer.publicKey)}</span>
      </Fact>
    </dl>
  );
}

/** What the member may open on this PC, and what it tried beyond that. */
function Access({ access: { tcp, udp, filtered } }: { access: MemberAccess }): ReactNode {
  const t = useText();
  const words = (open: Ranges) => {
    const shut = gaps(open);
    if (shut.length === 0) return t('reach.all');
    if (open.length === 0) return t('reach.nothing');
    // A long list of open ports says less than the short one of those that are not.
    return shut.length < open.length ? t('reach.allBut', { ports: portsText(shut) }) : portsText(open);
  };
  const same = words(tcp) === words(udp);
  return (
    <>
      <Fact name={t('reach.member')}>
        <span className="break-words">
          {same ? words(tcp) : t('reach.ports', { tcp: words(tcp), udp: words(udp) })}
        </span>
      </Fact>
      {filtered > 0 && <Fact name={t('reach.filtered')}>{t('reach.packets', { count: filtered })}</Fact>}
    </>
  );
}

type Ranges = MemberAccess['tcp'];

/** The ports between the ranges. */
function gaps(open: Ranges): Ranges {
  const edges = [-1, ...open.flat(), 65_536];
  const pairs = Array.from({ length: edges.length / 2 }, (_, i): [number, number] => [
    edges[2 * i]! + 1,
    edges[2 * i + 1]! - 1,
  ]);
  return pairs.filter(([low, high]) => low <= high);
}

const portsText = (ranges: Ranges) =>
  ranges.map(([low, high]) => (low === high ? String(low) : `${low}\u2060–\u2060${high}`)).join(', ');

function Fact({ name, children }: { name: string; children: ReactNode }): ReactNode {
  return (
    <>
      <dt className="py-0.5 text-soft">{name}</dt>
      {/* A value that is a button has its own height. */}
      <dd className="min-w-0 py-0.5 has-[button]:py-0">{children}</dd>
    </>
  );
}

function Actions({ peer }: { peer: PeerSnapshot }): ReactNode {
  const t = useText();
  const { ask } = useActions();
  const [answered, setAnswered] = useState('');
  const [blocking, setBlocking] = useState(false);
  const nick = isolated(peer.nick);
  const ping = async () => {
    setAnswered('');
    const answer = await ask({ type: 'ping', peer: peer.publicKey });
    const result = answer.ok ? pingResult.safeParse(answer.result) : null;
    if (result?.success) setAnswered(t('member.pingResult', { nick, ms: msText(result.data.rttMs) }));
  };
  const block = (on: boolean) => void ask({ type: 'block', peer: peer.publicKey, on });
  return (
    <div className="flex flex-wrap items-center gap-2">
      <Button size="small" icon={Radio} disabled={peer.path === null || peer.blocked} onClick={() => void ping()}>
        {t('member.pingNow')}
      </Button>
      <SendFile peer={peer.publicKey} disabled={peer.blocked} />
      {peer.blocked ? (
        <Button size="small" icon={Undo2} onClick={() => block(false)}>
          {t('member.unblock')}
        </Button>
      ) : (
        <Button size="small" icon={Ban} kind="quiet" onClick={() => setBlocking(true)}>
          {t('member.block')}
        </Button>
      )}
      <p role="status" className="text-[13px] text-soft">
        {answered}
      </p>
      {blocking && (
        <Confirm
          title={t('member.blockTitle', { nick })}
          action={t('member.blockYes')}
          kind="danger"
          onConfirm={() => {
            setBlocking(false);
            block(true);
          }}
          onClose={() => setBlocking(false)}
        >
          <p>{t('member.blockHelp')}</p>
        </Confirm>
      )}
    </div>
  );
}

import { ChevronDown } from 'lucide-react';
import { memo, type ReactNode, useMemo } from 'react';
import type { PeerSnapshot } from '../../../protocol/app.ts';
import { useText } from '../../i18n/text.tsx';
import { useActions, useApp, useFace } from '../../store/hooks.ts';
import { inOrder, type Standing, standing, strictSide, tally } from '../../store/member.ts';
import { isolated } from '../../store/plain.ts';
import { CopyValue } from '../../ui/copy.tsx';
import { lossText, pingText } from '../../ui/format.ts';
import { Avatar, Nick } from '../../ui/nick.tsx';
import { Sparkline } from '../../ui/sparkline.tsx';
import { StandingBadge, StandingCount } from '../../ui/standing.tsx';
import { useDrop } from '../files/send.tsx';
import { MemberDetails } from './member-details.tsx';
import { PunchLine } from './punch.tsx';
import { reasonText } from './reason.ts';

const COUNTED: readonly Standing[] = ['direct', 'relayed', 'connecting', 'lost', 'blocked'];

export function Members(): ReactNode {
  const t = useText();
  const peers = useApp(({ snapshot }) => snapshot.peers);
  const open = useFace((state) => state.openMember);
  const ordered = useMemo(() => inOrder(peers), [peers]);
  const counts = useMemo(() => tally(peers), [peers]);
  return (
    <section aria-labelledby="members">
      <div className="mb-2 flex flex-wrap items-center gap-x-4 gap-y-1 px-1 text-[13px]">
        <h2 id="members" className="sr-only">
          {t('room.members')}
        </h2>
        <span className="font-semibold">{t('room.tally', { count: peers.length })}</span>
        {COUNTED.map((each) => counts[each] > 0 && <StandingCount key={each} standing={each} count={counts[each]} />)}
      </div>
      <ul className="divide-y divide-line overflow-hidden rounded-2xl border border-line bg-surface shadow-card">
        {ordered.map((peer) => (
          <MemberRow key={peer.publicKey} peer={peer} open={peer.publicKey === open} />
        ))}
      </ul>
    </section>
  );
}

/** One friend. Drawn again only when something of that friend changed. */
const MemberRow = memo(function MemberRow({ peer, open }: { peer: PeerSnapshot; open: boolean }): ReactNode {
  const t = useText();
  const { openMember } = useActions();
  const drop = useDrop(peer.publicKey);
  const how = standing(peer);
  const strict = useApp(({ snapshot }) => strictSide(snapshot.self?.nat, peer.nat));
  const reason = reasonText(t, peer, strict);
  const away = how === 'lost' || how === 'blocked';
  return (
    <li className={open ? '' : 'row-window'} {...drop}>
      <div className="relative has-[.opener:hover]:bg-hover">
        <div className="flex items-center gap-3 px-3 py-2.5 sm:px-4">
          <Avatar nick={peer.nick} publicKey={peer.publicKey} faded={away} />
          <div className="min-w-0 flex-1">
            <div className="flex items-center gap-2">
              <button
                type="button"
                aria-expanded={open}
                aria-label={t('member.open', { nick: isolated(peer.nick) })}
                onClick={() => openMember(open ? null : peer.publicKey)}
                className="opener flex min-h-6 min-w-0 items-center rounded text-start font-semibold after:absolute after:inset-0"
              >
                <Nick>{peer.nick}</Nick>
              </button>
            </div>
            <div className="flex h-6 items-center text-[13px] text-soft">
              {peer.ipv4 === null ? (
                t('member.noAddress')
              ) : (
                <CopyValue value={peer.ipv4} compact className="relative -ms-1" />
              )}
            </div>
          </div>
          <PathState peer={peer} how={how} />
          <Figures peer={peer} />
          <ChevronDown aria-hidden className={`size-4 shrink-0 text-soft max-sm:hidden ${open ? 'rotate-180' : ''}`} />
        </div>
        {peer.punch !== null && !away ? (
          <PunchLine peer={peer} punch={peer.punch} strict={strict} />
        ) : (
          reason !== null && <p className="px-3 pb-2.5 text-[13px] text-soft sm:ps-16 sm:pe-4">{reason}</p>
        )}
      </div>
      {open && <MemberDetails peer={peer} />}
    </li>
  );
});

function PathState({ peer, how }: { peer: PeerSnapshot; how: Standing }): ReactNode {
  const t = useText();
  return (
    <div className="flex shrink-0 flex-col items-end gap-0.5 sm:w-36 sm:items-start">
      <StandingBadge standing={how} />
      {peer.path !== null && !peer.blocked && (
        <span className="truncate px-1 text-[12px] text-soft max-sm:hidden">{t(`path.${peer.path.kind}`)}</span>
      )}
    </div>
  );
}

/** Ping and loss in columns of fixed width, so that nothing moves while they change. */
function Figures({ peer }: { peer: PeerSnapshot }): ReactNode {
  const t = useText();
  const rtts = useFace(({ samples }) => samples.get(peer.publicKey)?.rtts ?? NO_SAMPLES);
  const lossy = (peer.path?.lossPct ?? 0) >= 1;
  return (
    <>
      <Sparkline rtts={rtts} label={t('member.history')} className="text-soft max-md:hidden" />
      <div className="w-16 shrink-0 text-end whitespace-nowrap sm:w-18">
        <p className="whitespace-nowrap">
          <span className="sr-only">{t('member.ping')} </span>
          <span className="font-semibold">{pingText(t, peer.path?.rttMs ?? null)}</span>
        </p>
        <p className={`text-[12px] ${lossy ? 'font-semibold text-danger' : 'text-soft'}`}>
          {peer.path?.lossPct == null ? (
            <span className="sr-only">{t('common.unknown')}</span>
          ) : (
            t('member.lossValue', { loss: lossText(peer.path.lossPct) })
          )}
        </p>
      </div>
    </>
  );
}

const NO_SAMPLES: readonly (number | null)[] = [];

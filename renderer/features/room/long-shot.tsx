import { Dices, Square, X } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import type { PeerSnapshot } from '../../../protocol/app.ts';
import type { LongShotAction, LongShotView } from '../../../protocol/long-shot.ts';
import { type Text, useText } from '../../i18n/text.tsx';
import { useActions, useApp } from '../../store/hooks.ts';
import { isolated } from '../../store/plain.ts';
import { Banner } from '../../ui/banner.tsx';
import { Button } from '../../ui/button.tsx';
import { Confirm } from '../../ui/confirm.tsx';

/** Friends who ask for a long shot, above the room: it is void when it goes unanswered. */
export function LongShotRequests(): ReactNode {
  const peers = useApp(({ snapshot }) => snapshot.peers);
  return peers.map(
    (peer) => peer.longShot?.state === 'asked' && <Request key={peer.publicKey} peer={peer} shot={peer.longShot} />,
  );
}

interface ShotProps {
  peer: PeerSnapshot;
  shot: LongShotView;
}

function Request({ peer, shot }: ShotProps): ReactNode {
  const t = useText();
  const act = useAct(peer);
  return (
    <Banner
      kind="warning"
      urgent
      title={t('longShot.asked', { nick: isolated(peer.nick) })}
      actions={<Answer act={act} />}
    >
      <p className="mt-0.5">{priceText(t, shot)}</p>
      <p className="mt-1">{t('longShot.starves')}</p>
    </Banner>
  );
}

/** In the details: what it is, what it costs, and where it stands. */
export function LongShotPart({ peer, shot }: ShotProps): ReactNode {
  const t = useText();
  const [asking, setAsking] = useState(false);
  const act = useAct(peer);
  const nick = isolated(peer.nick);
  const idle = shot.state === 'possible';
  return (
    <section aria-label={t('longShot.title')} className="rounded-xl border border-line bg-surface p-3.5">
      <h3 className="font-semibold">{t('longShot.title')}</h3>
      <p className="mt-1 text-[13px] text-soft">{t(`longShot.about.${shot.state}`, { nick })}</p>
      <p className="mt-1 text-[13px]">{priceText(t, shot)}</p>
      {idle && <Advice shot={shot} />}
      {idle && shot.last !== null && (
        <p className="mt-1 text-[13px] font-medium text-relayed">{t(`longShot.last.${shot.last}`)}</p>
      )}
      <div className="mt-2.5 flex flex-wrap items-center gap-2">
        <Buttons state={shot.state} act={act} ask={() => setAsking(true)} />
      </div>
      {asking && idle && (
        <Confirm
          title={t('longShot.confirm', { nick })}
          action={t('longShot.ask', { nick })}
          onConfirm={() => {
            setAsking(false);
            act('start');
          }}
          onClose={() => setAsking(false)}
        >
          <div className="flex flex-col gap-2">
            <p>{priceText(t, shot)}</p>
            <p>{t('longShot.starves')}</p>
            <Advice shot={shot} />
          </div>
        </Confirm>
      )}
    </section>
  );
}

interface ButtonsProps {
  state: LongShotView['state'];
  act(action: LongShotAction): void;
  ask(): void;
}

function Buttons({ state, act, ask }: ButtonsProps): ReactNode {
  const t = useText();
  const off = useApp(({ snapshot }) => !snapshot.settings.hardNat);
  switch (state) {
    case 'possible':
      return (
        <>
          <Button size="small" icon={Dices} disabled={off} onClick={ask}>
            {t('longShot.try')}
          </Button>
          {off && <p className="text-[13px] text-soft">{t('longShot.off')}</p>}
        </>
      );
    case 'asking':
      return (
        <Button size="small" icon={X} onClick={() => act('stop')}>
          {t('longShot.withdraw')}
        </Button>
      );
    case 'asked':
      return <Answer act={act} />;
    case 'running':
      return (
        <Button size="small" icon={Square} kind="danger" onClick={() => act('stop')}>
          {t('longShot.stop')}
        </Button>
      );
  }
}

/** To a friend's question. */
function Answer({ act }: Pick<ButtonsProps, 'act'>): ReactNode {
  const t = useText();
  return (
    <>
      <Button size="small" kind="primary" onClick={() => act('start')}>
        {t('longShot.accept')}
      </Button>
      <Button size="small" onClick={() => act('stop')}>
        {t('longShot.decline')}
      </Button>
    </>
  );
}

/** What makes a direct path without a gamble. */
function Advice({ shot }: { shot: LongShotView }): ReactNode {
  const t = useText();
  if (shot.advice.length === 0) return null;
  return (
    <div className="mt-1 text-[13px]">
      <p className="font-medium">{t('longShot.first')}</p>
      <ul className="list-disc ps-5">
        {shot.advice.map((one) => (
          <li key={one}>{t(`longShot.advice.${one}`)}</li>
        ))}
      </ul>
    </div>
  );
}

function useAct({ publicKey }: PeerSnapshot): (action: LongShotAction) => void {
  const { ask } = useActions();
  return (action) => void ask({ type: 'long-shot', peer: publicKey, action });
}

/** Odds, ports and seconds in a sentence. Small chances are not rounded to none. */
function priceText(t: Text, { odds, mappings, theirMappings, seconds }: LongShotView): string {
  const chance = odds < 0.01 ? t('longShot.tiny') : t('longShot.chance', { odds });
  return t('longShot.price', { chance, mappings, theirMappings, seconds });
}

import { type ReactNode, useEffect, useId, useMemo, useState } from 'react';
import { encode } from 'uqr';
import { inviteResult } from '../../../protocol/face.ts';
import { useText } from '../../i18n/text.tsx';
import { useActions, useApp, useFace } from '../../store/hooks.ts';
import { Banner } from '../../ui/banner.tsx';
import { CopyButton } from '../../ui/copy.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { INPUT } from '../../ui/field.tsx';

type LinkState = { state: 'asked' } | { state: 'ready'; link: string } | { state: 'failed' };

export function InviteDialog(): ReactNode {
  const inviting = useFace((state) => state.inviting);
  return inviting ? <OpenInviteDialog /> : null;
}

/** The room's link, to copy or to scan. */
function OpenInviteDialog(): ReactNode {
  const t = useText();
  const { command, setInviting } = useActions();
  const away = useApp(({ hosting }) => hosting.state === 'on' && hosting.reachable === false);
  const mapped = useApp(({ snapshot }) => snapshot.settings.portMapping);
  const [asked, setAsked] = useState<LinkState>({ state: 'asked' });
  useEffect(() => {
    let gone = false;
    void command({ type: 'invite' }).then((answer) => {
      const result = answer.ok ? inviteResult.safeParse(answer.result) : null;
      if (!gone) setAsked(result?.success ? { state: 'ready', link: result.data.link } : { state: 'failed' });
    });
    return () => {
      gone = true;
    };
  }, [command]);
  return (
    <Dialog title={t('invite.title')} onClose={() => setInviting(false)}>
      <p className="text-soft">{t('invite.lead')}</p>
      <div className="mt-4 flex flex-col gap-4">
        {away && <Banner kind="warning">{mapped ? t('invite.hostUnmapped') : t('invite.hostAway')}</Banner>}
        {asked.state === 'asked' && <p role="status">{t('invite.loading')}</p>}
        {asked.state === 'failed' && (
          <Banner kind="danger" urgent>
            {t('invite.failed')}
          </Banner>
        )}
        {asked.state === 'ready' && <Link link={asked.link} />}
      </div>
    </Dialog>
  );
}

function Link({ link }: { link: string }): ReactNode {
  const t = useText();
  const id = useId();
  return (
    <>
      <div>
        <label htmlFor={id} className="mb-1.5 block text-[13px] font-semibold">
          {t('invite.link')}
        </label>
        <div className="flex flex-wrap gap-2">
          <input
            id={id}
            readOnly
            value={link}
            onFocus={(event) => event.target.select()}
            className={`${INPUT} h-9 flex-1 basis-40 font-mono text-[13px]`}
          />
          <CopyButton value={link} label={t('invite.copy')} />
        </div>
      </div>
      <div className="flex flex-col items-center gap-2">
        <QrCode text={link} label={t('invite.qr')} />
        <p className="text-[13px] text-soft">{t('invite.qrHelp')}</p>
      </div>
    </>
  );
}

/** Dark on white in both themes: cameras expect that. */
function QrCode({ text, label }: { text: string; label: string }): ReactNode {
  const { size, path } = useMemo(() => qrPath(text), [text]);
  return (
    <svg
      role="img"
      aria-label={label}
      viewBox={`0 0 ${size} ${size}`}
      shapeRendering="crispEdges"
      className="size-52 rounded-xl border border-line bg-[#fff]"
    >
      <path d={path} className="fill-[#000]" />
    </svg>
  );
}

function qrPath(text: string): { size: number; path: string } {
  const { data, size } = encode(text, { ecc: 'L', border: 3 });
  const cells = data.flatMap((row, y) => row.flatMap((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : [])));
  return { size, path: cells.join('') };
}

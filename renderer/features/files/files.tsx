import { Check, Download, FolderOpen, Upload, X } from 'lucide-react';
import type { ReactNode } from 'react';
import type { FileAction, FileTransfer } from '../../../protocol/files.ts';
import { useText } from '../../i18n/text.tsx';
import { useActions, useApp } from '../../store/hooks.ts';
import { isolated, plainLine } from '../../store/plain.ts';
import { Button } from '../../ui/button.tsx';
import { bytesText } from '../../ui/format.ts';
import { Card } from '../../ui/page.tsx';

const NONE: readonly FileTransfer[] = [];
const ENDED: readonly FileTransfer['state'][] = ['done', 'failed', 'declined', 'cancelled'];

/** Files that friends offer, and those on their way; nothing where there are none. */
export function Files(): ReactNode {
  const t = useText();
  const files = useApp(({ snapshot }) => snapshot.files ?? NONE);
  if (files.length === 0) return null;
  return (
    <Card title={t('files.title')}>
      <ul className="-my-2 divide-y divide-line">
        {files.map((file) => (
          <FileRow key={file.id} file={file} />
        ))}
      </ul>
    </Card>
  );
}

function FileRow({ file }: { file: FileTransfer }): ReactNode {
  const t = useText();
  const { direction, name, nick, size, done, state, path } = file;
  const Icon = direction === 'in' ? Download : Upload;
  const who = t(direction === 'in' ? 'files.from' : 'files.to', { nick: isolated(nick) });
  return (
    <li className="flex flex-wrap items-center gap-x-3 gap-y-1.5 py-2.5">
      <Icon aria-hidden className="size-4 shrink-0 text-soft" />
      <div className="min-w-40 flex-1 wrap-anywhere">
        <p className="font-medium">{plainLine(name)}</p>
        <p className="text-[12.5px] text-soft">
          {who} · {bytesText(size)} · {stateText(t, file)}
        </p>
        {state === 'done' && direction === 'in' && path !== null && (
          <p className="font-mono text-[12px] break-all text-soft">{plainLine(path, 256)}</p>
        )}
        {(state === 'running' || (state === 'waiting' && done > 0)) && (
          <Progress share={size === 0 ? 1 : done / size} label={t('files.progress', { name: plainLine(name) })} />
        )}
      </div>
      <Actions file={file} />
    </li>
  );
}

function Progress({ share, label }: { share: number; label: string }): ReactNode {
  const percent = Math.floor(100 * Math.min(share, 1));
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuenow={percent}
      aria-valuemin={0}
      aria-valuemax={100}
      className="mt-1.5 h-1.5 overflow-hidden rounded-full border border-line bg-sunken"
    >
      <div className="h-full bg-accent" style={{ width: `${percent}%` }} />
    </div>
  );
}

function stateText(t: ReturnType<typeof useText>, { direction, state, problem, size, done }: FileTransfer): string {
  if (problem !== null) return t(`files.problems.${problem}`);
  if (state === 'offered') return t(direction === 'in' ? 'files.states.offeredIn' : 'files.states.offeredOut');
  const percent = size === 0 ? 100 : Math.floor((100 * done) / size);
  return t(`files.states.${state}`, { percent });
}

function Actions({ file: { id, direction, state, name, path } }: { file: FileTransfer }): ReactNode {
  const t = useText();
  const { ask } = useActions();
  const desktop = useApp(({ about }) => about.shell === 'electron');
  const act = (action: FileAction) => () => void ask({ type: 'file', id, action });
  const label = (words: string) => `${words}: ${plainLine(name)}`;
  if (ENDED.includes(state)) {
    const arrived = direction === 'in' && state === 'done' && path !== null;
    return (
      <div className="ms-auto flex gap-1.5">
        {arrived && desktop && (
          <Button
            size="small"
            icon={FolderOpen}
            aria-label={label(t('files.show'))}
            onClick={() => void ask({ type: 'show-file', id })}
          >
            {t('files.show')}
          </Button>
        )}
        <Button size="small" kind="quiet" icon={X} aria-label={label(t('files.remove'))} onClick={act('remove')}>
          {t('files.remove')}
        </Button>
      </div>
    );
  }
  const asked = direction === 'in' && state === 'offered';
  return (
    <div className="ms-auto flex gap-1.5">
      {asked && (
        <Button size="small" icon={Check} aria-label={label(t('files.accept'))} onClick={act('accept')}>
          {t('files.accept')}
        </Button>
      )}
      <Button
        size="small"
        kind="quiet"
        icon={X}
        aria-label={label(t(asked ? 'files.decline' : 'files.cancel'))}
        onClick={act(asked ? 'decline' : 'cancel')}
      >
        {t(asked ? 'files.decline' : 'files.cancel')}
      </Button>
    </div>
  );
}

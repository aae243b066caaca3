/** electron-builder's `afterPack`: takes out what a bare Electron brings, and switches off what the app never needs. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { flipFuses, FuseV1Options, FuseVersion } from '@electron/fuses';

const FUSES = {
  [FuseV1Options.RunAsNode]: false,
  [FuseV1Options.EnableNodeOptionsEnvironmentVariable]: false,
  [FuseV1Options.EnableNodeCliInspectArguments]: false,
  [FuseV1Options.OnlyLoadAppFromAsar]: true,
  [FuseV1Options.EnableCookieEncryption]: true,
};
/** Where Electron checks the archive against a hash in the program: not on Linux. */
const CHECKS_ARCHIVE = ['win32', 'darwin'];
/** First Electron with the switch for `file:` pages. */
const FILE_PRIVILEGES_SINCE = 29;

/** @param {import('electron-builder').AfterPackContext} context */
export default async function afterPack({ appOutDir, electronPlatformName, packager }) {
  rmSync(join(appOutDir, 'resources/default_app.asar'), { force: true });
  rmSync(join(appOutDir, 'version'), { force: true });
  const { productFilename } = packager.appInfo;
  const program = {
    win32: `${productFilename}.exe`,
    darwin: `${productFilename}.app`,
    linux: packager.executableName,
  }[electronPlatformName];
  await flipFuses(join(appOutDir, program), {
    version: FuseVersion.V1,
    ...FUSES,
    [FuseV1Options.EnableEmbeddedAsarIntegrityValidation]: CHECKS_ARCHIVE.includes(electronPlatformName),
    ...(Number.parseInt(packager.info.framework.version, 10) >= FILE_PRIVILEGES_SINCE
      ? { [FuseV1Options.GrantFileProtocolExtraPrivileges]: false }
      : {}),
  });
}

#!/bin/sh
# Of the deb package. The group stays: it may be named in an administrator's files.
set -e

if [ "$(readlink '/usr/bin/${executable}')" = '/opt/${sanitizedProductName}/${executable}' ]; then
  rm -f '/usr/bin/${executable}'
fi
update-desktop-database -q /usr/share/applications 2>/dev/null || true

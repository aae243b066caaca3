; The app itself registers `warren://` at its first start; whoever removes it should not keep a dead link handler or login item.
!macro customUnInstall
  DeleteRegKey HKCU "Software\Classes\warren"
  DeleteRegValue HKCU "Software\Microsoft\Windows\CurrentVersion\Run" "io.warren.app"
!macroend

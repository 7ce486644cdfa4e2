// Before the first paint, so that a remembered theme does not flash. Not a module, not inline: the
// page's policy allows no inline script.
try {
  const theme = localStorage.getItem("signalroom.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is forbidden: the system's theme it is.
}

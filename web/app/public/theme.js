try {
  const theme = localStorage.getItem("aitrace.theme");
  if (theme === '"light"' || theme === '"dark"') document.documentElement.dataset.theme = JSON.parse(theme);
} catch {
  // No storage: the system's theme it is.
}

// Runs before all else, in old browsers too: a token must not stay in the
// address, and whoever cannot run the page is to be told.
(function () {
  var hash = location.hash;
  var at = hash.indexOf('hufu1_');
  if (at >= 0) {
    history.replaceState(null, '', location.pathname + location.search);
    self.hufuToken = hash.slice(at);
  }
  var able = 'noModule' in document.createElement('script') && self.WebAssembly && self.BigInt &&
    self.HTMLDialogElement && self.WebSocket && self.Intl;
  if (!able) {
    document.documentElement.className = 'old';
  }
})();

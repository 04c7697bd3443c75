// Fetches the page anew every few seconds and puts what has changed in place, while somebody looks.
// What takes long to draw is asked for less often: it has a twentieth of the server's time at most.
(() => {
  const every = 3000;
  const renew = async () => {
    const began = performance.now();
    if (!document.hidden && !document.querySelector("main :focus")) {
      try {
        const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
        if (answer.ok) {
          const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
          const open = [...document.querySelectorAll("details[open]")].map((one) => one.id);
          document.querySelector("main").replaceWith(document.adoptNode(fresh));
          open.filter(Boolean).forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
          document.body.classList.remove("lost");
        }
      } catch {
        document.body.classList.add("lost");
      }
    }
    setTimeout(renew, Math.max(every, 20 * (performance.now() - began)));
  };
  setTimeout(renew, every);
})();

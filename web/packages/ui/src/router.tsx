/** Routes as state of the page, and links to them. */

import { href, parseRoute, type Route } from "@aitrace/model";
import { type AnchorHTMLAttributes, useMemo, useSyncExternalStore } from "react";
import { useHost } from "./host.ts";

export function useRoute(): Route {
  const { location } = useHost();
  const address = useSyncExternalStore(location.subscribe, location.read);
  return useMemo(() => parseRoute(address), [address]);
}

type LinkProps = Omit<AnchorHTMLAttributes<HTMLAnchorElement>, "href"> & { to: Route };

/** A real link: it opens in a new tab, can be copied, and is followed without a reload. */
export function Link({ to, onClick, ...rest }: LinkProps) {
  const { location } = useHost();
  const address = href(to);
  return (
    <a
      {...rest}
      href={address}
      onClick={(event) => {
        onClick?.(event);
        const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
        if (event.defaultPrevented || !plain) return;
        event.preventDefault();
        location.push(address);
      }}
    />
  );
}

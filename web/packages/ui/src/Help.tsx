import { Dialog } from "./parts/Dialog.tsx";

const GROUPS: readonly { title: string; keys: readonly (readonly [string, string])[] }[] = [
  {
    title: "Trace",
    keys: [
      ["↑ ↓  k j", "Previous, next row"],
      ["← →", "Collapse, expand; to the parent, to the child"],
      ["Home End", "First, last row"],
      ["Page Up Page Down", "One screen up, down"],
      ["Enter", "To the details; Escape comes back"],
      ["e", "Next error"],
      ["z", "Zoom to the span; again for the whole trace"],
      ["[ ]", "Collapse, expand all"],
      ["l", "Show or hide logs"],
    ],
  },
  {
    title: "List",
    keys: [
      ["↑ ↓  k j", "Previous, next trace"],
      ["Enter", "Open"],
    ],
  },
  {
    title: "Anywhere",
    keys: [
      ["/", "Search"],
      ["Backspace", "Back to the list"],
      ["?", "This help"],
    ],
  },
];

export function Help({ close }: { close: () => void }) {
  return (
    <Dialog title="Keyboard" close={close}>
      {GROUPS.map((group) => (
        <section className="keys" key={group.title}>
          <h3>{group.title}</h3>
          <dl>
            {group.keys.map(([keys, what]) => (
              <div key={keys}>
                <dt>
                  {keys.split("  ").map((set) => (
                    <span key={set}>
                      {(set.startsWith("Page") ? ["Page Up", "Page Down"] : set.split(" ")).map((key) => (
                        <kbd key={key}>{key}</kbd>
                      ))}
                    </span>
                  ))}
                </dt>
                <dd>{what}</dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
      <p className="muted">
        On a trace's timeline: drag across the axis to zoom, Ctrl and wheel to zoom at the pointer.
      </p>
    </Dialog>
  );
}

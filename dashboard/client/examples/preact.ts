/** The latest signal of each symbol in a Preact component, and how the connection is. */

import type { ConnectionState, Signal, SignalroomClient } from "@signalroom/client";
import { useEffect, useState } from "preact/hooks";

/** For the one component that owns the connection. */
export function useSignals(client: SignalroomClient): ReadonlyMap<string, Signal> {
  const [signals, set] = useState<ReadonlyMap<string, Signal>>(new Map());
  useEffect(() => {
    const undo = [
      client.onMessage("snapshot", (data) =>
        set(new Map(data.signals.map((it) => [it.symbol, it]))),
      ),
      client.onMessage("new_signal", (it) => set((old) => new Map(old).set(it.symbol, it))),
      client.onMessage("approval_notification", (approval) =>
        set((old) => {
          const signal = old.get(approval.symbol);
          if (signal?.id !== approval.signal_id) return old;
          const status = `APPROVED_${approval.approved_status}` as const;
          const decided = { ...signal, status, approval, awaiting_approval: false };
          return new Map(old).set(approval.symbol, decided);
        }),
      ),
    ];
    // After the handlers, so that they hear the first snapshot.
    client.connect();
    return () => {
      client.disconnect();
      undo.forEach((it) => it());
    };
  }, [client]);
  return signals;
}

export function useConnection(client: SignalroomClient): ConnectionState {
  const [state, set] = useState(client.state);
  useEffect(() => client.onStateChange(set), [client]);
  return state;
}

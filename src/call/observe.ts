import type { Admission, Call, CallObservation } from "./call.ts";

/** Observes the calls of all protocols, from their headers to their encoded response. */
export interface CallObserver {
  begin(call: Call): CallObservation;
}

/** Starts before the admission, so that refused calls count too. Needs at least one observer. */
export function observeAdmission(observers: readonly CallObserver[], admit: Admission): Admission {
  const observer = observers.reduce(observeByBoth);
  return (call) => {
    call.observation = observer.begin(call);
    return admit(call);
  };
}

function observeByBoth(one: CallObserver, other: CallObserver): CallObserver {
  return {
    begin(call) {
      const [first, second] = [one.begin(call), other.begin(call)];
      return {
        end(failure) {
          first.end(failure);
          second.end(failure);
        },
      };
    },
  };
}

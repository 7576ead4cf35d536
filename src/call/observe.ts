import type { Admission, Call, CallObservation, Interceptor } from "./call.ts";

/** Follows the calls of all protocols, from their headers to their outcome. */
export interface CallObserver {
  begin(call: Call): CallObservation;
}

export function observeByBoth(one: CallObserver, other: CallObserver): CallObserver {
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

/** Begins before the admission, so that calls that are refused count too. */
export function observeAdmission(observer: CallObserver, admit: Admission): Admission {
  return (call) => {
    call.observation = observer.begin(call);
    admit(call);
  };
}

/** Ends the observation of calls that succeed; those that fail, before their method or in it, are ended by their protocol. */
export const observeSuccess: Interceptor = (next) => async (request, call) => {
  const answer = await next(request, call);
  call.observation?.end(null);
  return answer;
};

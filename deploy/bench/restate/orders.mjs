// An order as a durable handler that calls eight others, one after the other: as many calls as an order of ours makes to
// other services. They do nothing else, so what is measured is what durable execution costs.
import * as restate from "@restatedev/restate-sdk";

const CALLS = 8;

// Node has it from version 22 on.
Promise.withResolvers ??= () => {
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
};

const step = restate.service({
  name: "step",
  handlers: { run: async (_context, number) => number + 1 },
});

const orders = restate.service({
  name: "orders",
  handlers: {
    place: async (context) => {
      let number = 0;
      for (let call = 0; call < CALLS; call++) {
        number = await context.serviceClient(step).run(number);
      }
      return number;
    },
  },
});

restate.serve({ services: [step, orders], port: Number(process.argv[2]) });

// The official clients by their major version: clients[6](url, options) opens a session.

import v3 from "eioc3";
import v4 from "eioc4";
import v5 from "eioc5";
import { Socket as V6 } from "eioc6";

export const clients = {
  3: v3,
  4: v4,
  5: v5,
  6: (url, options) => new V6(url, options),
};

/** The build of bottleneck without its Redis store has the types of the whole. */
declare module "bottleneck/light.js" {
  import Bottleneck from "bottleneck";
  export default Bottleneck;
}

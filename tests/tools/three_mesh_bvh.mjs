// Reads the name of a file of triangles and rays and prints one JSON object: {hits: [...], ms}, how many rays of each
// pair meet a triangle before their far limit, and the least processor time of three runs after one to warm up.
// The file, little-endian: uint32 vertices, triangles, pairs, rays a pair; float32 positions; uint32 indices; then for
// each ray float32 origin, unit direction, far.
import { readFile } from "node:fs/promises";
import { BufferAttribute, BufferGeometry, DoubleSide, Ray } from "three";
import { MeshBVH } from "three-mesh-bvh";

const RAY_FLOATS = 7;

function opened(bytes) {
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  const [vertices, triangles, pairs, each] = new Uint32Array(buffer, 0, 4);
  const positions = new Float32Array(buffer, 16, 3 * vertices);
  const indices = new Uint32Array(buffer, 16 + positions.byteLength, 3 * triangles);
  const rays = new Float32Array(buffer, indices.byteOffset + indices.byteLength, RAY_FLOATS * pairs * each);
  return { positions, indices, rays, pairs, each };
}

function tree({ positions, indices }) {
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(positions, 3));
  geometry.setIndex(new BufferAttribute(indices, 1));
  return new MeshBVH(geometry);
}

function counted(bvh, { rays, pairs, each }) {
  const hits = new Array(pairs).fill(0);
  const ray = new Ray();
  for (let index = 0, at = 0; index < pairs * each; index += 1, at += RAY_FLOATS) {
    ray.origin.fromArray(rays, at);
    ray.direction.fromArray(rays, at + 3);
    if (bvh.raycastFirst(ray, DoubleSide, 0, rays[at + 6])) hits[Math.floor(index / each)] += 1;
  }
  return hits;
}

const scene = opened(await readFile(process.argv[2]));
const bvh = tree(scene);
const hits = counted(bvh, scene);
let ms = Infinity;
for (let run = 0; run < 3; run += 1) {
  const begin = process.cpuUsage();
  counted(bvh, scene);
  const spent = process.cpuUsage(begin);
  ms = Math.min(ms, (spent.user + spent.system) / 1000);
}
process.stdout.write(JSON.stringify({ hits, ms }));

// The WebGL scene of the 3-D page: a plan on the ground, a mesh on it, and a camera that orbits around its center.

import { FLOATS } from './surface-mesh.js';

const MESH_VERTEX = `#version 300 es
uniform mat4 view; uniform float height;
in vec3 position, normal, color;
out vec3 shade;
void main() {
  vec3 light = normalize(vec3(0.4, -0.5, 0.9));
  shade = color * (0.55 + 0.45 * max(dot(normalize(normal), light), 0.0));
  gl_Position = view * vec4(position.xy, position.z * height, 1.0);
}`;
const MESH_FRAGMENT = `#version 300 es
precision mediump float;
in vec3 shade; out vec4 pixel;
void main() { pixel = vec4(shade, 1.0); }`;
const PLAN_VERTEX = `#version 300 es
uniform mat4 view; uniform vec4 bounds;
in vec2 corner; out vec2 at;
void main() {
  at = vec2(corner.x, 1.0 - corner.y);
  gl_Position = view * vec4(mix(bounds.xy, bounds.zw, corner), 0.0, 1.0);
}`;
const PLAN_FRAGMENT = `#version 300 es
precision mediump float;
uniform sampler2D plan; uniform float dark;
in vec2 at; out vec4 pixel;
void main() {
  vec4 color = texture(plan, at);
  pixel = vec4(mix(color.rgb, 0.95 - 0.85 * color.rgb, dark), 1.0);
}`;

const START = { yaw: -0.5, pitch: 0.85, distance: 1.55 };
const FIELD_OF_VIEW = 0.7;
const clamp = (value, min, max) => Math.min(Math.max(value, min), max);

export class Scene {
  constructor(canvas) {
    this.canvas = canvas;
    this.gl = canvas.getContext('webgl2', { antialias: true });
    if (!this.gl) throw new Error('This page needs WebGL 2, which the browser does not have or has disabled.');
    this.camera = { ...START };
    this.bounds = [0, 0, 1, 1];
    this.height = 1;
    this.vertices = 0;
    this.isDark = false;
    this.setUp();
    canvas.addEventListener('webglcontextlost', (event) => event.preventDefault());
    canvas.addEventListener('webglcontextrestored', () => {
      this.setUp();
      this.restored?.();
    });
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  setUp() {
    const { gl } = this;
    this.meshProgram = program(gl, MESH_VERTEX, MESH_FRAGMENT);
    this.planProgram = program(gl, PLAN_VERTEX, PLAN_FRAGMENT);
    this.meshArray = gl.createVertexArray();
    this.meshBuffer = gl.createBuffer();
    gl.bindVertexArray(this.meshArray);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.meshBuffer);
    ['position', 'normal', 'color'].forEach((name, i) => attribute(gl, this.meshProgram, name, 3, FLOATS, 3 * i));
    this.planArray = gl.createVertexArray();
    gl.bindVertexArray(this.planArray);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([0, 0, 1, 0, 0, 1, 1, 1]), gl.STATIC_DRAW);
    attribute(gl, this.planProgram, 'corner', 2, 2, 0);
    this.texture = gl.createTexture();
    this.setPlan(null);
    gl.enable(gl.DEPTH_TEST);
  }

  /** Sets the picture on the ground; without one, the ground is plain. */
  setPlan(image) {
    const { gl } = this;
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    if (image) gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, gl.RGB, gl.UNSIGNED_BYTE, image);
    else gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, 1, 1, 0, gl.RGB, gl.UNSIGNED_BYTE, new Uint8Array([244, 244, 242]));
    gl.generateMipmap(gl.TEXTURE_2D);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
  }

  setMesh(mesh) {
    const { gl } = this;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.meshBuffer);
    gl.bufferData(gl.ARRAY_BUFFER, mesh.data.subarray(0, mesh.at), gl.STATIC_DRAW);
    this.vertices = mesh.vertices;
  }

  reset() {
    Object.assign(this.camera, START);
    this.draw();
  }

  /** Turns the camera, in radians, and scales its distance. */
  orbit(yaw, pitch, zoom = 1) {
    const { camera } = this;
    camera.yaw += yaw;
    camera.pitch = clamp(camera.pitch + pitch, 0.08, 1.55);
    camera.distance = clamp(camera.distance * zoom, 0.15, 6);
    this.draw();
  }

  draw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = undefined;
      this.render();
    });
  }

  render() {
    const { gl, canvas } = this;
    const ratio = Math.min(devicePixelRatio, 2);
    [canvas.width, canvas.height] = [canvas.clientWidth * ratio, canvas.clientHeight * ratio];
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    const view = this.view(canvas.width / Math.max(canvas.height, 1));
    gl.useProgram(this.planProgram);
    gl.uniformMatrix4fv(gl.getUniformLocation(this.planProgram, 'view'), false, view);
    gl.uniform4fv(gl.getUniformLocation(this.planProgram, 'bounds'), this.bounds);
    gl.uniform1f(gl.getUniformLocation(this.planProgram, 'dark'), this.isDark ? 1 : 0);
    gl.bindVertexArray(this.planArray);
    // Moved away from the camera, so that flat parts of a surface are drawn on the ground.
    gl.enable(gl.POLYGON_OFFSET_FILL);
    gl.polygonOffset(1, 4);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
    gl.disable(gl.POLYGON_OFFSET_FILL);
    gl.useProgram(this.meshProgram);
    gl.uniformMatrix4fv(gl.getUniformLocation(this.meshProgram, 'view'), false, view);
    gl.uniform1f(gl.getUniformLocation(this.meshProgram, 'height'), this.height);
    gl.bindVertexArray(this.meshArray);
    gl.drawArrays(gl.TRIANGLES, 0, this.vertices);
  }

  /** The matrix from meters to clip coordinates, column by column. */
  view(aspect) {
    const [west, south, east, north] = this.bounds;
    const size = Math.max(east - west, north - south);
    const { yaw, pitch } = this.camera;
    // A narrow window needs a larger distance.
    const distance = this.camera.distance * size * Math.max(1, 1.25 / aspect);
    const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
    const right = [cy, sy, 0];
    const up = [-sy * sp, cy * sp, cp];
    const back = [sy * cp, -cy * cp, sp];
    const center = [(west + east) / 2, (south + north) / 2, 0];
    const eye = center.map((part, i) => part + back[i] * distance);
    const along = (axis) => -axis.reduce((sum, part, i) => sum + part * eye[i], 0);
    const focal = 1 / Math.tan(FIELD_OF_VIEW / 2);
    const [near, far] = [distance / 50, distance + 3 * size];
    const [depth, offset] = [(far + near) / (near - far), (2 * far * near) / (near - far)];
    const row = (axis, scale) => [...axis.map((part) => part * scale), along(axis) * scale];
    const [x, y, z] = [row(right, focal / aspect), row(up, focal), row(back, 1)];
    return new Float32Array([0, 1, 2, 3].flatMap((i) => [x[i], y[i], depth * z[i] + (i === 3 ? offset : 0), -z[i]]));
  }
}

function program(gl, vertex, fragment) {
  const linked = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(linked, shader);
  }
  gl.linkProgram(linked);
  if (!gl.getProgramParameter(linked, gl.LINK_STATUS) && !gl.isContextLost()) throw new Error(`WebGL: ${gl.getProgramInfoLog(linked)}`);
  return linked;
}

function attribute(gl, linked, name, size, stride, offset) {
  const at = gl.getAttribLocation(linked, name);
  gl.enableVertexAttribArray(at);
  gl.vertexAttribPointer(at, size, gl.FLOAT, false, 4 * stride, 4 * offset);
}

"""The 3DBall scene as a MuJoCo model.

Unity's axes (x, y, z) lie along MuJoCo's (y, z, x): forward z becomes +x, up y becomes +z. That is a cyclic
exchange, so cross products and quaternion products keep Unity's numbers (the scene is Unity's mirror image,
as Unity is left-handed and MuJoCo is not).

Choices:
- The cube has no rigid body in Unity and is turned by setting its transform; so is a mocap body in MuJoCo:
  in both, the solver sees it stand still in every physics step.
- Contact: friction 0.6 in the plane and none against spin or rolling (PhysX has none), the elliptic cone,
  and the stiffest contact that 0.02 s allows (solref 0.04 = two steps, critically damped: no bounce).
- Drag: the ball's angular drag 0.01 1/s is a damping of 0.01 · I on its three turning degrees of freedom, and
  its linear drag is 0.
"""

# MuJoCo's compiled modules carry no types.
# pyright: reportAttributeAccessIssue=false

import mujoco

TIMESTEP = 0.02  # seconds a physics step
EDGE = 5.0  # metres, the cube
RADIUS = 0.5  # metres, the ball at scale 1
ANGULAR_DRAG = 0.01  # 1/s

_XML = """
<mujoco model="3dball">
  <option timestep="{timestep}" gravity="0 0 {down}" cone="elliptic" iterations="10">
    <flag island="disable"/>
  </option>
  <visual><headlight ambient="0.5 0.5 0.5"/></visual>
  <asset>
    <texture type="skybox" builtin="gradient" rgb1="0.55 0.7 0.85" rgb2="0.9 0.95 1" width="64" height="64"/>
    <texture name="grid" type="cube" builtin="checker" rgb1="0.25 0.45 0.75" rgb2="0.2 0.38 0.66"
             width="128" height="128"/>
    <material name="cube" texture="grid"/>
  </asset>
  <worldbody>
    <light pos="4 -4 12" dir="-0.3 0.3 -1"/>
    <camera name="side" pos="13 -6 7" xyaxes="0.42 0.91 0 -0.37 0.17 0.91"/>
    <body name="cube" mocap="true">
      <geom name="cube" type="box" size="{half} {half} {half}" material="cube"/>
    </body>
    <body name="ball" pos="0 0 4">
      <freejoint name="ball"/>
      <geom name="ball" type="sphere" size="{radius}" mass="{mass}" rgba="0.95 0.75 0.2 1"/>
    </body>
  </worldbody>
  <contact>
    <pair geom1="cube" geom2="ball" condim="3" friction="0.6 0.6 0 0 0" solref="0.04 1"
          solimp="0.95 0.99 0.01"/>
  </contact>
</mujoco>
"""


def ball_model(mass: float, scale: float, gravity: float) -> mujoco.MjModel:
    """Compile the scene for a ball of `mass` kg and radius 0.5 · `scale` m under `gravity` m/s² downwards."""
    model = mujoco.MjModel.from_xml_string(
        _XML.format(timestep=TIMESTEP, down=-gravity, half=EDGE / 2, radius=RADIUS * scale, mass=mass)
    )
    model.dof_damping[3:6] = ANGULAR_DRAG * model.body("ball").inertia
    return model

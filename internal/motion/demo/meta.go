package demo

import "encoding/json"

// rigidBody and physicsJoint are the data with which the web client moves hair
// and cloth (motion contract §2.5). Bones find their body by its English name.
// Positions and sizes are in units of 8 cm, as in MikuMikuDance.
type rigidBody struct {
	Name           string     `json:"name"`
	EnglishName    string     `json:"englishName"`
	BoneIndex      int        `json:"boneIndex"`
	CollisionGroup int        `json:"collisionGroup"`
	CollisionMask  int        `json:"collisionMask"`
	ShapeType      int        `json:"shapeType"` // 0 means a sphere
	ShapeSize      [3]float64 `json:"shapeSize"`
	ShapePosition  [3]float64 `json:"shapePosition"`
	ShapeRotation  [3]float64 `json:"shapeRotation"`
	Mass           float64    `json:"mass"`
	LinearDamping  float64    `json:"linearDamping"`
	AngularDamping float64    `json:"angularDamping"`
	Repulsion      float64    `json:"repulsion"`
	Friction       float64    `json:"friction"`
	PhysicsMode    int        `json:"physicsMode"` // 0 means that it follows its bone
}

type physicsJoint struct {
	Name            string     `json:"name"`
	EnglishName     string     `json:"englishName"`
	RigidbodyIndexA int        `json:"rigidbodyIndexA"`
	RigidbodyIndexB int        `json:"rigidbodyIndexB"`
	Position        [3]float64 `json:"position"`
	Rotation        [3]float64 `json:"rotation"`
	PositionMin     [3]float64 `json:"positionMin"`
	PositionMax     [3]float64 `json:"positionMax"`
	RotationMin     [3]float64 `json:"rotationMin"`
	RotationMax     [3]float64 `json:"rotationMax"`
	SpringPosition  [3]float64 `json:"springPosition"`
	SpringRotation  [3]float64 `json:"springRotation"`
}

// There are two spheres, which follow their bones. A figure made of boxes does
// not have parts that swing.
var rigidBodies = []rigidBody{
	{Name: "chest", EnglishName: "Chest", BoneIndex: 3, CollisionGroup: 1, ShapeSize: [3]float64{1.2},
		ShapePosition: [3]float64{0, 15.6, 0}, Mass: 1, LinearDamping: 0.5, AngularDamping: 0.5, Friction: 0.5},
	{Name: "head", EnglishName: "Head", BoneIndex: 5, CollisionGroup: 1, ShapeSize: [3]float64{1.2},
		ShapePosition: [3]float64{0, 19.5, 0}, Mass: 1, LinearDamping: 0.5, AngularDamping: 0.5, Friction: 0.5},
}

var physicsJoints = []physicsJoint{
	{Name: "neck", EnglishName: "Neck", RigidbodyIndexA: 0, RigidbodyIndexB: 1, Position: [3]float64{0, 17.8, 0}},
}

// faceMesh is the name of the mesh with the face. The blend shapes belong to
// it.
const faceMesh = "face"

var blendshapes = map[string]string{"mesh_name": faceMesh}

func indentedJSON(value any) ([]byte, error) {
	data, err := json.MarshalIndent(value, "", "  ")
	return append(data, '\n'), err
}

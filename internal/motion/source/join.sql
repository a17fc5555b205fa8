SELECT mr.*, mf.*, ori.*, armature.*, avatar.*, mk.*, sk.*, ra.*, la.*
FROM motion_record AS mr
LEFT JOIN motion_file AS mf ON mf.motion_file_id = mr.motion_file_id
LEFT JOIN origin AS ori ON ori.origin_id = mf.origin_id
LEFT JOIN armature ON armature.armature_id = mf.armature_id
LEFT JOIN avatar ON avatar.avatar_id = armature.avatar_id
LEFT JOIN motion_keyword AS mk ON mk.motion_keyword_id = mr.motion_keyword_id
LEFT JOIN speech_keyword AS sk ON sk.speech_keyword_id = mr.speech_keyword_id
LEFT JOIN random AS ra ON ra.random_id = mr.random_id
LEFT JOIN loopable AS la ON la.loop_id = mr.loop_id

// The owner of the precompiled header (see cmake/KingletBuild.cmake); it has no code of its own.

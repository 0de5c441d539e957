import numpy as np
import pytest

from morered.dft import free_atoms
from morered.dft.free_atoms import RADII, free_atom


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    free_atom.cache_clear()
    yield
    free_atom.cache_clear()


@pytest.mark.parametrize("number", [1, 6, 8])
def test_the_density_holds_all_electrons(number):
    assert free_atom(number, "pbe0", "def2-svp").electrons == pytest.approx(number, abs=1e-5)


def test_a_closed_shells_density_is_pyscfs_own():
    from pyscf import dft, gto

    system = gto.M(atom="Ne", basis="def2-svp", verbose=0)
    field = dft.RKS(system, xc="pbe0").run(conv_tol=1e-10)
    radii = np.array([0.05, 0.3, 0.7, 1.5, 3.0])
    orbitals = dft.numint.eval_ao(system, radii[:, None] * np.array([[0.0, 1.0, 0.0]]))
    reference = dft.numint.eval_rho(system, orbitals, field.make_rdm1())
    np.testing.assert_allclose(free_atom(10, "pbe0", "def2-svp").at(radii), reference, rtol=2e-3)


def test_the_table_is_interpolated_between_its_points():
    atom = free_atom(8, "pbe0", "def2-svp")
    middle = 0.5 * (RADII[400:900] + RADII[401:901])
    bracket = np.sort(np.stack([atom.density[400:900], atom.density[401:901]]), axis=0)
    assert np.all((atom.at(middle) > bracket[0] * 0.999) & (atom.at(middle) < bracket[1] * 1.001))
    assert atom.at(np.array([RADII[-1] + 1.0])) == 0


def test_an_atom_is_computed_once_and_a_broken_cache_is_repaired(monkeypatch, tmp_path):
    first = free_atom(1, "pbe0", "def2-svp").density
    (stored,) = (tmp_path / "morered/free_atoms").iterdir()
    stored.write_bytes(stored.read_bytes()[:100])
    free_atom.cache_clear()
    np.testing.assert_array_equal(free_atom(1, "pbe0", "def2-svp").density, first)

    free_atom.cache_clear()
    monkeypatch.setattr(free_atoms, "_compute", lambda *_: pytest.fail("computed again"))
    np.testing.assert_array_equal(free_atom(1, "pbe0", "def2-svp").density, first)
